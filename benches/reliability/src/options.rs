//! The command line.

use std::path::PathBuf;

const USAGE: &str = "usage: reliability publish|triggers [--broker NAME]... [--messages N] [--kills N] [--connections N] \
                     [--gateway FILE] [--write FILE]\n       reliability endpoints|together [--rate N] [--seconds N] [--kills N] [--attempts N] \
                     [--gateway FILE] [--write FILE]\n       reliability reload|hostile [--rate N] [--connections N] [--idle N] \
                     [--gateway FILE] [--write FILE]";

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// Publishing, while the broker is killed.
    Publish,
    /// Triggers, while the gateway is killed.
    Triggers,
    /// A constant load, while endpoints of the service are killed.
    Endpoints,
    /// The same, while the gateway reloads each second.
    Together,
    /// Is one of these endpoints, at this port.
    Serve(u16),
    /// Requests, while the gateway reloads.
    Reload,
    /// Requests, beside clients that mean harm.
    Hostile,
}

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) command: Command,
    /// The brokers; all when empty.
    pub(crate) brokers: Vec<String>,
    pub(crate) messages: u64,
    pub(crate) kills: u64,
    pub(crate) connections: usize,
    /// Requests a second.
    pub(crate) rate: u32,
    pub(crate) seconds: u64,
    /// How often the gateway tries a request.
    pub(crate) attempts: u64,
    /// Connections that rest.
    pub(crate) idle: usize,
    pub(crate) gateway: Option<PathBuf>,
    pub(crate) write: Option<PathBuf>,
}

impl Options {
    /// Reads the arguments after the program's name.
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (command, messages, kills) = match arguments.next().as_deref() {
            Some("publish") => (Command::Publish, 100_000, 5),
            Some("triggers") => (Command::Triggers, 20_000, 3),
            Some("endpoints") => (Command::Endpoints, 0, 10),
            Some("together") => (Command::Together, 0, 10),
            Some("serve") => (Command::Serve(Self::port(arguments.next())?), 0, 0),
            Some("reload") => (Command::Reload, 0, 0),
            Some("hostile") => (Command::Hostile, 0, 0),
            _ => return Err(USAGE.to_owned()),
        };
        let mut options = Self {
            command,
            brokers: Vec::new(),
            messages,
            kills,
            connections: 64,
            rate: 400,
            seconds: 60,
            attempts: 3,
            idle: 10_000,
            gateway: None,
            write: None,
        };
        while let Some(option) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{option} needs a value\n{USAGE}"))?;
            let number = || value.parse().map_err(|_| format!("{option} is a number, and `{value}` is none"));
            match option.as_str() {
                "--broker" => options.brokers.push(value),
                "--messages" => options.messages = number()?,
                "--kills" => options.kills = number()?,
                "--rate" => options.rate = u32::try_from(number()?).unwrap_or(u32::MAX).max(1),
                "--seconds" => options.seconds = number()?,
                "--attempts" => options.attempts = number()?,
                "--connections" => options.connections = usize::try_from(number()?).unwrap_or(1).max(1),
                "--idle" => options.idle = usize::try_from(number()?).unwrap_or(1),
                "--gateway" => options.gateway = Some(value.into()),
                "--write" => options.write = Some(value.into()),
                _ => return Err(format!("{option} is no option\n{USAGE}")),
            }
        }
        Ok(options)
    }

    fn port(given: Option<String>) -> Result<u16, String> {
        given.and_then(|port| port.parse().ok()).ok_or_else(|| "serve needs a port".to_owned())
    }

    /// Fails when nothing was measured, or not what was asked for by name.
    pub(crate) fn bear(&self, chosen: usize, missing: &[&str]) -> Result<(), String> {
        if missing.is_empty() || (self.brokers.is_empty() && missing.len() < chosen) {
            return Ok(());
        }
        Err(format!("not measured, as it is not installed: {}", missing.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        Options::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_command_line_is_read() {
        let options = read("publish --broker jetstream --messages 7 --write a.md").unwrap();
        assert_eq!((options.messages, options.kills, options.brokers.len()), (7, 5, 1));
        let options = read("triggers --kills 1").unwrap();
        assert_eq!((options.command, options.messages, options.kills), (Command::Triggers, 20_000, 1));
        let options = read("endpoints --rate 50 --seconds 3").unwrap();
        assert_eq!((options.rate, options.seconds, options.kills), (50, 3, 10));
        let options = read("together").unwrap();
        assert_eq!((options.command, options.rate, options.seconds, options.kills), (Command::Together, 400, 60, 10));
        for wrong in ["", "consume", "publish --messages", "publish --messages x", "publish --speed 1"] {
            read(wrong).unwrap_err();
        }
    }

    #[test]
    fn what_was_asked_for_has_to_be_measured() {
        let all = read("publish").unwrap();
        assert_eq!((all.bear(2, &[]), all.bear(2, &["rabbitmq"])), (Ok(()), Ok(())));
        all.bear(2, &["jetstream", "rabbitmq"]).unwrap_err();
        let one = read("publish --broker rabbitmq --broker jetstream").unwrap();
        assert_eq!(one.bear(2, &["rabbitmq"]).unwrap_err(), "not measured, as it is not installed: rabbitmq");
    }
}
