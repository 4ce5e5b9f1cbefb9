//! `callgate completions`.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::{Cli, answer::Failed};

/// Where the scripts belong.
pub(super) const PLACES: &str = "Where they belong, with your own user's rights:
  bash  callgate completions bash > ~/.local/share/bash-completion/completions/callgate
  zsh   callgate completions zsh > \"${fpath[1]}/_callgate\"
  fish  callgate completions fish > ~/.config/fish/completions/callgate.fish
The next shell that is started has them.";

pub(super) fn completions(shell: Shell) -> Result<String, Failed> {
    let mut script = Vec::new();
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    generate(shell, &mut command, name, &mut script);
    String::from_utf8(script).map_err(|error| Failed::Impossible(error.to_string()))
}
