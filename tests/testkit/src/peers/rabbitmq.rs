use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

use super::{PeerError, Process, free_port};

/// Debian's wrapper in `/usr/sbin` would change the user; this is what it starts.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
/// Erlang's own programs: the register of nodes, and a client that calls a function in one.
const EPMD: &str = "/usr/lib/erlang/bin/epmd";
const CALL: &str = "/usr/lib/erlang/bin/erl_call";
/// What nodes and their clients share.
const COOKIE: &str = "callgate";

/// Launcher of RabbitMQ: a node of its own, apart from any other on the machine, with the user `guest` / `guest`.
///
/// The first start takes 10 to 40 seconds and much of the processor, so tests share a node where they don't kill it. A
/// killed node starts again at the same ports with what its queues have stored.
#[derive(Debug)]
pub struct RabbitMq {
    ports: Ports,
    /// Kept for as long as the node needs it.
    _register: Process,
    process: Option<Process>,
    home: TempDir,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    amqp: u16,
    amqps: u16,
    distribution: u16,
    register: u16,
}

impl RabbitMq {
    /// The URL of a broker that runs already, from `CALLGATE_TEST_AMQP`. It can't be killed or administered.
    #[must_use]
    pub fn given() -> Option<String> {
        env::var_os("CALLGATE_TEST_AMQP").and_then(|url| url.into_string().ok()).filter(|url| !url.is_empty())
    }

    /// Starts a node. `settings` are lines of its `rabbitmq.conf`, in which `$TLS_PORT` stands for a free port;
    /// `plugins` are names such as `rabbitmq_auth_mechanism_ssl`.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when it is not installed, others when it does not start.
    pub async fn start(settings: &str, plugins: &[&str]) -> Result<Self, PeerError> {
        for path in [SERVER, EPMD, CALL] {
            if !Path::new(path).exists() {
                return Err(PeerError::Missing { what: "rabbitmq-server", path: PathBuf::from(path) });
            }
        }
        let mut attempts = 3;
        loop {
            match Self::launch(settings, plugins).await {
                Ok(node) => return Ok(node),
                // Another process may have taken a port meanwhile.
                Err(PeerError::Ended { .. }) if attempts > 1 => attempts -= 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn launch(settings: &str, plugins: &[&str]) -> Result<Self, PeerError> {
        let home = Process::folder("rabbitmq")?;
        let ports =
            Ports { amqp: free_port()?, amqps: free_port()?, distribution: free_port()?, register: free_port()? };
        let write = |name: &str, text: &str| {
            fs::write(home.path().join(name), text).map_err(PeerError::io("write a file of a node"))
        };
        let settings = settings.replace("$TLS_PORT", &ports.amqps.to_string());
        write(
            "rabbitmq.conf",
            &format!(
                "listeners.tcp.1 = 127.0.0.1:{}\nloopback_users = none\nlog.console = true\nlog.file = false\n\
                 vm_memory_high_watermark.absolute = 1GB\ndisk_free_limit.absolute = 50MB\n{settings}\n",
                ports.amqp
            ),
        )?;
        write("plugins", &format!("[{}].\n", plugins.join(",")))?;
        write(".erlang.cookie", COOKIE)?;
        let cookie = home.path().join(".erlang.cookie");
        fs::set_permissions(cookie, fs::Permissions::from_mode(0o400)).map_err(PeerError::io("hide a cookie"))?;
        let mut epmd = Command::new(EPMD);
        epmd.args(["-address", "127.0.0.1", "-port", &ports.register.to_string()]);
        let mut register = Process::spawn("epmd", epmd, Process::folder("epmd")?)?;
        register.wait_for_port(ports.register).await?;
        let mut node = Self { ports, _register: register, process: None, home };
        node.restart().await?;
        Ok(node)
    }

    /// Where clients connect to: `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.amqp)
    }

    /// The address for TLS, if the settings have a listener for it.
    #[must_use]
    pub fn tls_address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.amqps)
    }

    /// The address as a URL, with the user `guest`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@{}", self.address())
    }

    /// Everything that the node wrote since it was last started.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// Kills the node at once.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Whether the node was not killed.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Starts it again at the same ports, on what it has stored.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self) -> Result<(), PeerError> {
        self.kill();
        let home = self.home.path();
        let file = |name: &str| home.join(name);
        let mut command = Command::new(SERVER);
        self.environment(&mut command);
        command
            .env("RABBITMQ_NODENAME", self.name())
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.ports.amqp.to_string())
            .env("RABBITMQ_DIST_PORT", self.ports.distribution.to_string())
            .env("RABBITMQ_BASE", home)
            .env("RABBITMQ_MNESIA_BASE", file("mnesia"))
            .env("RABBITMQ_LOG_BASE", file("log"))
            .env("RABBITMQ_PID_FILE", file("pid"))
            .env("RABBITMQ_CONFIG_FILE", file("rabbitmq"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", file("advanced.config"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", file("plugins"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", file("generated"))
            // The machine's own settings are for its own node.
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
            )
            .env("RABBITMQ_SERVER_START_ARGS", "");
        let mut process = Process::spawn("rabbitmq-server", command, Process::folder("rabbitmq-log")?)?;
        // Its listeners are the last thing that it starts, and it needs much more of the processor than other peers.
        let mut waits = 3;
        loop {
            match process.wait_for_port(self.ports.amqp).await {
                Err(PeerError::NotReady { .. }) if waits > 1 => waits -= 1,
                waited => break waited?,
            }
        }
        self.process = Some(process);
        Ok(())
    }

    /// Stops the node in mid-air: connections stay open and nothing answers.
    pub fn pause(&self) {
        self.process.iter().for_each(Process::pause);
    }

    /// Lets a paused node go on.
    pub fn resume(&self) {
        self.process.iter().for_each(Process::resume);
    }

    /// Evaluates an expression of Erlang in the node: what `rabbitmqctl` does, in a hundredth of its time.
    ///
    /// # Errors
    /// When the node can't be reached or the expression fails.
    pub async fn evaluate(&self, expression: &str) -> Result<(), PeerError> {
        let answer = self.ask(expression).await?;
        if answer.starts_with("{ok, ok}") {
            return Ok(());
        }
        Err(PeerError::Answer { what: format!("`{expression}`"), answer, expected: "ok" })
    }

    /// How many messages a queue of the default virtual host has: those that were delivered and not acknowledged too.
    ///
    /// # Errors
    /// When the node can't be reached or has no such queue.
    pub async fn messages(&self, queue: &str) -> Result<u64, PeerError> {
        let expression = format!(
            "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{queue}\">>)), \
             [{{messages, N}}] = rabbit_amqqueue:info(Q, [messages]), N"
        );
        let answer = self.ask(&expression).await?;
        let number = answer.strip_prefix("{ok, ").and_then(|rest| rest.trim_end().strip_suffix('}'));
        let expected = "a number";
        number.and_then(|number| number.parse().ok()).ok_or_else(|| PeerError::Answer {
            what: format!("the messages of `{queue}`"),
            answer,
            expected,
        })
    }

    /// How many bytes have come in on each connection of clients that call themselves so, by the client's port.
    ///
    /// # Errors
    /// When the node can't be reached, or a connection ends meanwhile.
    pub async fn connections(&self, name: &str) -> Result<BTreeMap<u16, u64>, PeerError> {
        let expression = format!(
            "lists:flatten(io_lib:format(\"~w\", [[[Port, Bytes] || Pid <- rabbit_networking:connections(), \
             Info <- [rabbit_networking:connection_info(Pid, [client_properties, peer_port, recv_oct])], \
             {{<<\"connection_name\">>, _, <<\"{name}\">>}} <- proplists:get_value(client_properties, Info), \
             {{peer_port, Port}} <- Info, {{recv_oct, Bytes}} <- Info]]))"
        );
        let answer = self.ask(&expression).await?;
        let list = answer.split_once('"').and_then(|(_, rest)| rest.rsplit_once('"')).map(|(list, _)| list);
        let pairs: Option<Vec<(u16, u64)>> = list.and_then(|list| serde_json::from_str(list).ok());
        let what = || format!("the connections of `{name}`");
        let pairs = pairs.ok_or_else(|| PeerError::Answer { what: what(), answer, expected: "pairs of numbers" })?;
        Ok(pairs.into_iter().collect())
    }

    /// Cuts the connection of a client that comes from this port.
    ///
    /// # Errors
    /// When the node can't be reached.
    pub async fn cut(&self, port: u16) -> Result<(), PeerError> {
        self.evaluate(&format!(
            "[ok = rabbit_networking:close_connection(Pid, \"cut\") || Pid <- rabbit_networking:connections(), \
             [{{peer_port, {port}}}] <- [rabbit_networking:connection_info(Pid, [peer_port])]], ok"
        ))
        .await
    }

    /// Lets a user have so many connections at once, from the next one on.
    ///
    /// # Errors
    /// When the node can't be reached.
    pub async fn limit_connections(&self, user: &str, most: u32) -> Result<(), PeerError> {
        self.evaluate(&format!(
            "rabbit_auth_backend_internal:set_user_limits(<<\"{user}\">>, <<\"{{\\\"max-connections\\\": {most}}}\">>, \
             <<\"test\">>)"
        ))
        .await
    }

    /// What an expression of Erlang gives in the node.
    async fn ask(&self, expression: &str) -> Result<String, PeerError> {
        let failed = || PeerError::io("evaluate an expression in a node");
        let mut command = Command::new(CALL);
        self.environment(&mut command);
        command.args(["-c", COOKIE, "-n", &self.name(), "-e"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().map_err(failed())?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(format!("{expression}.\n").as_bytes()).await.map_err(failed())?;
        }
        let output = child.wait_with_output().await.map_err(failed())?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Makes a user that may do this in the default virtual host; each is a regular expression of names.
    ///
    /// # Errors
    /// When the node can't be reached.
    pub async fn add_user(&self, name: &str, password: &str, may: Permissions<'_>) -> Result<(), PeerError> {
        let Permissions { configure, write, read } = may;
        self.evaluate(&format!(
            "rabbit_auth_backend_internal:add_user(<<\"{name}\">>, <<\"{password}\">>, <<\"test\">>)"
        ))
        .await?;
        self.evaluate(&format!(
            "rabbit_auth_backend_internal:set_permissions(<<\"{name}\">>, <<\"/\">>, <<\"{configure}\">>, \
             <<\"{write}\">>, <<\"{read}\">>, <<\"test\">>)"
        ))
        .await
    }

    fn name(&self) -> String {
        format!("callgate{}@localhost", self.ports.amqp)
    }

    fn environment(&self, command: &mut Command) {
        command
            .env("HOME", self.home.path())
            .env("ERL_EPMD_PORT", self.ports.register.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1");
    }
}

/// What a user may do: regular expressions of the names of exchanges and queues.
#[derive(Debug, Clone, Copy)]
pub struct Permissions<'a> {
    /// Make and delete.
    pub configure: &'a str,
    /// Publish to, bind.
    pub write: &'a str,
    /// Consume, bind to.
    pub read: &'a str,
}
