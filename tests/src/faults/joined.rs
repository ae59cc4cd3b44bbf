//! Films that the server itself reads back from its store: stretches that are joined, and bytes that were sent before
//! and are copied.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::site::{Created, Person, Site, creation, film, root_of};
use super::{Call, Ended, Fault, Finding, Sender, judge};

/// A film that is not there by then never will be.
const PATIENCE: Duration = Duration::from_secs(180);
/// An answer that has not come by then is lost; longer than the server makes anybody wait.
const ANSWER: Duration = Duration::from_secs(60);
/// What isn't done is asked for again, but not at once.
const PAUSE: Duration = Duration::from_millis(300);

/// A film that is sent in stretches, side by side, and joined.
#[derive(Debug, Clone, Default)]
pub struct Joined {
    pub seed: u64,
    pub stretches: Vec<usize>,
    /// Between server and store, of what speaks of the stretches: so many requests of that kind go wrong like this.
    pub store: Vec<(Call, Fault, usize)>,
}

/// A film that is sent once without trouble, and then asked for again by its hash.
#[derive(Debug, Clone, Default)]
pub struct Again {
    pub seed: u64,
    pub length: usize,
    /// Of what speaks of the first film, when it is copied.
    pub store: Vec<(Call, Fault, usize)>,
}

/// Runs it to its end and judges it at once. Answers how many faults did happen, and what is wrong.
pub async fn run_joined(site: &Site, person: &Person, joined: &Joined) -> (usize, Vec<Finding>) {
    let whole = film(joined.stretches.iter().sum(), joined.seed);
    let (mut rest, mut stretches, mut ids) = (whole.clone(), Vec::new(), Vec::new());
    for length in &joined.stretches {
        let said = [("upload-length", length.to_string()), ("upload-concat", "partial".to_owned())];
        let answer = creation(site.address, &person.cookie, &said).await.expect("an answer to the creation");
        assert_eq!(answer.status(), 201);
        let path = answer.headers()["location"].to_str().expect("plain text").to_owned();
        ids.push(path.rsplit('/').next().unwrap_or_default().to_owned());
        stretches.push((Sender::new(site.address, &path, &person.cookie, rest.split_to(*length)), path));
    }
    for (call, fault, times) in &joined.store {
        site.proxy.spoil(&ids, *call, *fault, *times);
    }
    let mut found = Vec::new();
    let mut story = String::new();
    for (ended, (sender, path)) in
        join_all(stretches.iter().map(|(sender, _)| sender.send())).await.iter().zip(&stretches)
    {
        // What becomes of the stretch is seen in the film; here only that its client was told the truth.
        found.extend(judge(&sender.ledger, ended, &sender.film, Some(&sender.film)));
        story = format!("{story}\n{path}\n{}", sender.ledger.story());
    }
    let paths: Vec<_> = stretches.into_iter().map(|(_, path)| path).collect();
    match join(site, person, &format!("final;{}", paths.join(" "))).await {
        Ok(created) => {
            let sender = site.sender(person, &created, &whole);
            let ended = wait(site, person, &sender, &paths).await;
            found.extend(site.judge(&created, &sender, &ended).await);
            story = format!("{story}\n{created:?}\n{}", sender.ledger.story());
        }
        Err(ended) => found.extend(judge(&Default::default(), &ended, &whole, None)),
    }
    found.iter_mut().for_each(|finding| finding.text = format!("{}\n{joined:?}{story}", finding.text));
    (site.proxy.injected(&ids), found)
}

/// Until the server says that there is a film, whole or not yet.
async fn join(site: &Site, person: &Person, concat: &str) -> Result<Created, Ended> {
    let (began, said) = (Instant::now(), [("upload-concat", concat.to_owned())]);
    while began.elapsed() < PATIENCE {
        let asked = tokio::time::timeout(ANSWER, creation(site.address, &person.cookie, &said)).await;
        match asked {
            Ok(Ok(answer)) if answer.status() == StatusCode::CREATED => return Ok(Created::of(answer.headers())),
            Ok(Ok(answer)) if is_final(answer.status()) => return Err(Ended::Refused(answer.status())),
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
    Err(Ended::Never(format!("no film after {PATIENCE:?}")))
}

/// The server goes on by itself, once a minute. Here somebody asks for the same film again, which makes it go on at
/// once, and which must not make a second one.
async fn wait(site: &Site, person: &Person, sender: &Sender, paths: &[String]) -> Ended {
    let (began, concat) = (Instant::now(), format!("final;{}", paths.join(" ")));
    loop {
        match sender.wait(2 * PAUSE).await {
            Ended::Never(_) if began.elapsed() < PATIENCE => drop(join(site, person, &concat).await),
            ended => return ended,
        }
    }
}

fn is_final(status: StatusCode) -> bool {
    matches!(status.as_u16(), 404 | 410 | 413 | 422)
}

/// The same of a film that is copied.
pub async fn run_again(site: &Site, person: &Person, again: &Again) -> (usize, Vec<Finding>) {
    let film = film(again.length, again.seed);
    let first = site.create(person, again.length).await;
    let sender = site.sender(person, &first, &film);
    let ended = sender.send().await;
    for (call, fault, times) in &again.store {
        site.proxy.spoil(&first.ids(), *call, *fault, *times);
    }
    let second = copy(site, person, &root_of(&film), again).await;
    // What it was copied from is still there.
    let mut found = site.judge(&first, &sender, &ended).await;
    match second {
        Ok(created) => {
            let sender = site.sender(person, &created, &film);
            found.extend(site.judge(&created, &sender, &Ended::Complete).await);
        }
        Err(ended) => found.extend(judge(&Default::default(), &ended, &film, None)),
    }
    found.iter_mut().for_each(|finding| finding.text = format!("{}\n{again:?}\n{first:?}", finding.text));
    (site.proxy.injected(&first.ids()), found)
}

/// Asks for it until it is there, always by the same name.
async fn copy(site: &Site, person: &Person, root: &str, again: &Again) -> Result<Created, Ended> {
    let http = reqwest::Client::builder().no_proxy().timeout(ANSWER).build().expect("a client");
    let asked = json!({
        "bytes": again.length, "root_sha256": root, "filename": "村口.mp4", "content_type": "video/mp4",
    });
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let request =
            http.post(format!("http://{}/api/v1/uploads/same", site.address)).header("cookie", &person.cookie);
        match request.header("idempotency-key", format!("again-{}", again.seed)).json(&asked).send().await {
            Ok(answer) if answer.status() == StatusCode::CREATED => {
                let made: Value = answer.json().await.expect("what was made");
                let text = |name: &str| made[name].as_str().expect("an id").to_owned();
                return Ok(Created { path: String::new(), clip: text("clip"), version: text("version") });
            }
            Ok(answer) if is_final(answer.status()) => return Err(Ended::Refused(answer.status())),
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
    Err(Ended::Never(format!("no copy after {PATIENCE:?}")))
}
