//! Launchers of the real peers that tests speak to.
//!
//! Each launcher starts a private instance on free ports of 127.0.0.1, keeps its files and its log in a folder of its
//! own and ends it when dropped. `./tests/run` installs what they need; where that is missing, a test says so through
//! [`present`].

mod absent;
mod aws;
mod azure;
mod documents;
mod error;
mod fault_proxy;
mod functions_framework;
mod google_tokens;
mod grpc;
pub mod http;
mod issuer;
mod lambda_stream;
mod localstack;
mod ministack;
mod nats;
mod nats_cluster;
mod nats_realm;
mod node;
mod openfaas;
mod otlp;
mod port;
mod process;
mod python;
mod rabbitmq;
mod redis;
mod script;
mod soap;
mod wait;
mod wire;

pub use absent::{absent, present};
pub use aws::{AwsPeer, Credentials};
pub use azure::{AzureEntra, AzureHost, TlsAddress};
pub use documents::documents;
pub use error::PeerError;
pub use fault_proxy::{Fault, FaultProxy};
pub use functions_framework::{Function, FunctionsFramework};
pub use google_tokens::GoogleTokens;
pub use grpc::{GrpcClient, GrpcOptions, GrpcReflection, GrpcService};
pub use issuer::Issuer;
pub use lambda_stream::LambdaStream;
pub use localstack::LocalStack;
pub use ministack::MiniStack;
pub use nats::NatsServer;
pub use nats_cluster::NatsCluster;
pub use nats_realm::NatsRealm;
pub use node::{NodeSoapService, Prism};
pub use openfaas::OpenFaas;
pub use otlp::OtlpReceiver;
pub use port::free_port;
use port::on_free_port;
pub use process::Process;
pub use python::Python;
pub use rabbitmq::{Permissions, RabbitMq};
pub use redis::RedisServer;
pub use soap::{SoapService, Zeep};
pub use wait::until;
pub use wire::{Received, Wire};
