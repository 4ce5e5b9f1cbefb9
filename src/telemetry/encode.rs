//! Spans and metrics as OTLP has them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use callgate_core::{
    Attribute, Span, SpanSide,
    metrics::{Durations, Exposition, Family, Number, Sample, Type},
};

use super::messages::{
    AnyValue, Data, Gauge, Histogram, HistogramPoint, KeyValue, Metric, MetricsRequest, NumberPoint, PointValue,
    Resource, ResourceMetrics, ResourceSpans, Scope, ScopeMetrics, ScopeSpans, Span as WireSpan, Status, Sum,
    TraceRequest, ValueOf,
};

/// Since the start of the process.
const CUMULATIVE: i32 = 2;

/// Spans of a service.
pub(super) fn spans(spans: Vec<Span>, service: &str) -> TraceRequest {
    let spans = spans.into_iter().map(span).collect();
    let scope_spans = vec![ScopeSpans { scope: Some(scope()), spans }];
    TraceRequest { resource_spans: vec![ResourceSpans { resource: Some(resource(service)), scope_spans }] }
}

fn span(span: Span) -> WireSpan {
    let attributes = span.attributes.into_iter().map(|(key, value)| {
        let value = match value {
            Attribute::Text(text) => ValueOf::Text(text),
            Attribute::Number(number) => ValueOf::Int(number),
        };
        KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
    });
    WireSpan {
        trace_id: span.trace.to_be_bytes().into(),
        span_id: span.id.to_be_bytes().into(),
        parent_span_id: span.parent.map(|parent| parent.to_be_bytes().into()).unwrap_or_default(),
        name: span.name,
        kind: match span.side {
            SpanSide::Server => 2,
            SpanSide::Client => 3,
            SpanSide::Consumer => 5,
        },
        start_time_unix_nano: nanos(span.began),
        end_time_unix_nano: nanos(span.began + span.took),
        attributes: attributes.collect(),
        status: span.error.map(|error| Status { message: error.into_owned(), code: 2 }),
    }
}

/// Metrics of a service that started then.
pub(super) fn metrics(metrics: &Exposition, service: &str, started: SystemTime) -> MetricsRequest {
    let times = Times { started: nanos(started), now: nanos(SystemTime::now()) };
    let metrics = metrics.families().map(|family| metric(family, times)).collect();
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope()), metrics }];
    MetricsRequest { resource_metrics: vec![ResourceMetrics { resource: Some(resource(service)), scope_metrics }] }
}

#[derive(Clone, Copy)]
struct Times {
    started: u64,
    now: u64,
}

/// A collector puts back what Prometheus' conventions add to a name, from the unit and the type.
fn metric(family: &Family, times: Times) -> Metric {
    let name = family.name.strip_suffix("_total").unwrap_or(family.name);
    let (name, unit) = match (name.strip_suffix("_seconds"), name.strip_suffix("_bytes")) {
        (Some(name), _) => (name, "s"),
        (None, Some(name)) => (name, "By"),
        (None, None) => (name, "1"),
    };
    let numbers = || family.samples.iter().filter_map(|sample| number(sample, times)).collect();
    let data = match family.kind {
        Type::Gauge => Data::Gauge(Gauge { data_points: numbers() }),
        Type::Counter => {
            Data::Sum(Sum { data_points: numbers(), aggregation_temporality: CUMULATIVE, is_monotonic: true })
        }
        Type::Histogram => Data::Histogram(Histogram {
            data_points: family.samples.iter().filter_map(|sample| histogram(sample, times)).collect(),
            aggregation_temporality: CUMULATIVE,
        }),
    };
    Metric { name: name.to_owned(), description: family.help.clone(), unit: unit.to_owned(), data: Some(data) }
}

fn number(sample: &Sample, times: Times) -> Option<NumberPoint> {
    let value = match &sample.value {
        Number::Whole(number) => PointValue::Int(i64::try_from(*number).unwrap_or(i64::MAX)),
        Number::Fraction(number) => PointValue::Double(*number),
        Number::Durations(_) => return None,
    };
    Some(NumberPoint {
        attributes: labels(sample),
        start_time_unix_nano: times.started,
        time_unix_nano: times.now,
        value: Some(value),
    })
}

fn histogram(sample: &Sample, times: Times) -> Option<HistogramPoint> {
    let Number::Durations(durations) = &sample.value else { return None };
    Some(HistogramPoint {
        attributes: labels(sample),
        start_time_unix_nano: times.started,
        time_unix_nano: times.now,
        count: durations.count(),
        sum: Some(durations.sum()),
        bucket_counts: durations.buckets().to_vec(),
        explicit_bounds: Durations::bounds().collect(),
    })
}

fn labels(sample: &Sample) -> Vec<KeyValue> {
    sample.labels.iter().map(|(name, value)| text(name, value)).collect()
}

fn resource(service: &str) -> Resource {
    let version = env!("CARGO_PKG_VERSION");
    Resource { attributes: vec![text("service.name", service), text("service.version", version)] }
}

fn scope() -> Scope {
    Scope { name: "callgate".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(ValueOf::Text(value.to_owned())) });
    KeyValue { key: key.to_owned(), value }
}

fn nanos(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
