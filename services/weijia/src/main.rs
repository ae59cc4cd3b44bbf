//! `weijia`: one binary, several roles. Only this crate and `weijia-media` read the environment.

mod demo;
mod doctor;
mod fault;
mod fsck;
mod http;
mod invite;
mod lock;
mod retry;
mod secret;
mod serve;
mod settings;
mod store;
mod trace;
mod worker;

use std::process::ExitCode;

use clap::Parser as _;
use settings::{Cli, Command};

fn main() -> ExitCode {
    weijia_core::allocator::give_back_large_pieces();
    let cli = Cli::parse();
    log_to_stderr(cli.settings.log_json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return stop(&format!("系统不让启动线程：{error}")),
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Serve(options) => serve::run(&cli.settings, options).await,
            Command::Migrate => migrate(&cli.settings).await,
            Command::Trace { clip } => trace::run(&cli.settings, &clip).await,
            Command::Retry { clip } => retry::run(&cli.settings, &clip).await,
            Command::Invite(options) => invite::run(&cli.settings, &options).await,
            Command::Fsck(options) => fsck::run(&cli.settings, &options).await,
            Command::Doctor => doctor::run(&cli.settings).await,
            Command::Openapi => print_openapi(),
        }
    });
    // Threads that still hash or write must not keep a stopped server alive.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match done {
        Ok(code) => code,
        Err(sentence) => stop(&sentence),
    }
}

/// Ends with one sentence that says what is wrong and what to do.
fn stop(sentence: &str) -> ExitCode {
    eprintln!("weijia: {sentence}");
    ExitCode::from(2)
}

async fn migrate(settings: &settings::Settings) -> Result<ExitCode, String> {
    settings.prepare_data_folder()?;
    let db = settings.open_database().await?;
    serve::load_reference_data(&db).await?;
    db.close().await;
    eprintln!("weijia: 数据库已经是最新的了。");
    Ok(ExitCode::SUCCESS)
}

fn print_openapi() -> Result<ExitCode, String> {
    let text = weijia_api::openapi().to_pretty_json().map_err(|e| e.to_string())?;
    println!("{text}");
    Ok(ExitCode::SUCCESS)
}

/// What is logged unless RUST_LOG says otherwise. `s3s` writes every body that it cannot read as XML out in full.
const LOGGED: &str = "info,s3s=warn,s3s::http::de=off,sqlx=warn,aws_smithy_runtime=warn,hyper=warn";

/// Logs never go to stdout: that is for the ready line.
fn log_to_stderr(json: bool) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("RUST_LOG").unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    if json {
        log.json().init();
    } else {
        log.with_target(false).init();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_request_writes_its_body_into_the_log() {
        let filter = tracing_subscriber::EnvFilter::new(super::LOGGED);
        let log = tracing_subscriber::fmt().with_env_filter(filter).finish();
        tracing::subscriber::with_default(log, || {
            assert!(tracing::enabled!(target: "s3s::ops", tracing::Level::ERROR));
            assert!(!tracing::enabled!(target: "s3s::http::de", tracing::Level::ERROR));
        });
    }
}
