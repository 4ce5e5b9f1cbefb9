//! What finding a route costs, by the size of the table and the kind of path.
//!
//! `cargo bench --bench routing` measures every kind at 10, 1,000 and 100,000 routes, prints nanoseconds per request
//! (of the quickest of many interleaved rounds, as other work on the machine only ever adds) and fails when 100,000 routes cost more than three times what 10 cost. `cargo bench --bench routing -- KIND SIZE
//! REQUESTS` runs one combination without reading a clock, to be counted by callgrind.

#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::{error::Error, hint::black_box, process::ExitCode, time::Instant};

use callgate_core::routing::{
    Found, HeaderCondition, Match, PathPattern, RequestLine, RouteTable, Rule, Shorthand, ValueTest, normalize,
};
use http::{HeaderMap, Method};

const SIZES: [usize; 3] = [10, 1_000, 100_000];
const KINDS: [&str; 6] = ["exact", "template", "tail", "mixed", "miss", "method"];
/// Requests of one round: the same number at every size, so that reading them costs the same.
const REQUESTS: usize = 4096;
const ROUNDS: usize = 100;
/// Largest allowed ratio of the largest table's cost to the smallest one's.
const LIMIT: f64 = 3.0;

type BenchResult<T> = Result<T, Box<dyn Error>>;

fn main() -> BenchResult<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [kind, size, requests] = arguments.as_slice() {
        let (table, load) = (table(size.parse()?)?, load(kind, size.parse()?));
        let found: usize = load.iter().cycle().take(requests.parse()?).map(|request| find(&table, request)).sum();
        println!("{found} routes found");
        return Ok(ExitCode::SUCCESS);
    }
    measure_all()
}

fn measure_all() -> BenchResult<ExitCode> {
    let tables = SIZES.into_iter().map(|size| Ok((size, table(size)?))).collect::<BenchResult<Vec<_>>>()?;
    println!("ns per request    {:>9} {:>9} {:>9}   largest / smallest", SIZES[0], SIZES[1], SIZES[2]);
    let mut code = ExitCode::SUCCESS;
    for kind in KINDS {
        let loads: Vec<_> = tables.iter().map(|(size, table)| (table, load(kind, *size))).collect();
        let mut times = vec![Vec::with_capacity(ROUNDS); SIZES.len()];
        // Interleaved, so that a disturbance of the machine meets every size.
        for _ in 0..ROUNDS {
            for ((table, load), times) in loads.iter().zip(&mut times) {
                times.push(round(table, load));
            }
        }
        let best: Vec<f64> = times.into_iter().map(|times| times.into_iter().fold(f64::MAX, f64::min)).collect();
        let ratio = best[SIZES.len() - 1] / best[0];
        println!("{kind:<17} {:>9.0} {:>9.0} {:>9.0}   {ratio:.2}", best[0], best[1], best[2]);
        if ratio > LIMIT {
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// Nanoseconds per request.
fn round(table: &RouteTable<usize>, load: &[(Method, String)]) -> f64 {
    let begin = Instant::now();
    let found: usize = load.iter().map(|request| find(table, request)).sum();
    black_box(found);
    begin.elapsed().as_secs_f64() * 1e9 / load.len() as f64
}

/// All that routing does for a request: normalisation, the search, and decoding the captures.
fn find(table: &RouteTable<usize>, (method, path): &(Method, String)) -> usize {
    let headers = HeaderMap::new();
    let Ok(path) = normalize(black_box(path)) else { return 0 };
    let request = RequestLine { host: Some("api.example.com"), method, path: &path, query: None, headers: &headers };
    match table.find(&request) {
        Ok(Found::Route { value, captures }) => {
            black_box((value, captures));
            1
        }
        _ => 0,
    }
}

/// Four of ten routes are exact paths, four templates and two tail captures; every tenth has a condition on a header.
fn table(size: usize) -> BenchResult<RouteTable<usize>> {
    let rules = (0..size).map(|index| {
        let text = match index % 10 {
            0..4 => format!("GET /api/v1/service-{index}/status"),
            4..7 => format!("GET /api/v1/service-{index}/items/{{id}}"),
            7 => format!("GET /api/{{version}}/service-{index}/items/{{id}}/parts/{{part}}"),
            _ => format!("/static/site-{index}/{{*rest}}"),
        };
        let mut matcher = Match::from(Shorthand::parse(&text)?);
        if index % 10 == 3 {
            matcher.headers.push(HeaderCondition::new("x-old", ValueTest::Absent)?);
        }
        Ok(Rule { host: None, matcher, order: index, value: index })
    });
    let mut rules = rules.collect::<BenchResult<Vec<_>>>()?;
    // A host with a route of its own, so that every request also chooses a host.
    let own = Match::path(PathPattern::parse("/own")?.into());
    rules.push(Rule { host: Some("api.example.com".parse()?), matcher: own, order: size, value: size });
    Ok(RouteTable::build(rules))
}

/// Requests spread over the whole table in an order that no prefetcher guesses.
fn load(kind: &str, size: usize) -> Vec<(Method, String)> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap_or_default() % below
    };
    let mut requests = Vec::with_capacity(REQUESTS);
    for number in 0..REQUESTS {
        let block = next(size / 10) * 10;
        let digit = match kind {
            "exact" | "method" | "miss" => next(4),
            "template" => 4 + next(4),
            "tail" => 8 + next(2),
            _ => next(10),
        };
        let index = block + digit;
        let path = match (kind, digit) {
            ("miss", _) => format!("/api/v1/service-{index}/nothing/{number}"),
            (_, 0..4) => format!("/api/v1/service-{index}/status"),
            (_, 4..7) => format!("/api/v1/service-{index}/items/{number}"),
            (_, 7) => format!("/api/v2/service-{index}/items/{number}/parts/{block}"),
            _ => format!("/static/site-{index}/assets/{number}.css"),
        };
        let method = if kind == "method" { Method::POST } else { Method::GET };
        requests.push((method, path));
    }
    requests
}
