//! What is said of queues.

use super::{Page, page, text};

/// Of the options of `image create`, `exec run` and `exec rerun` by which a job waits for its start.
pub const WAITING: &str = "With --queue, --after or --after-any, the job is published, its id is printed, and its status is `queued` \
    until it starts. In JSON, `waitingFor` says what it waits for, and `position` is its place in the queue, 1 for the next one. \
    Nothing else has to run: each queued job has a small process of its own, and the terminal may be closed. `stop`, `kill` and \
    `cancel` end it without a container. --timeout counts from the start, --queue-timeout from the request.";
/// The same, of other jobs.
pub const AFTER: &str = "--after and --after-any take ids and names of builds and runs, with commas between or each with its own \
    option. If a job of --after does not succeed, the new one ends as `skipped`, and so do those that wait for it. The image of a \
    run need not be there yet. A job has ended when its --on-exit command has, too.";

/// The same, of `--retry`.
pub const RETRY: &str = "With --retry N, a run that fails is tried again up to N times, after --retry-delay (1s), which doubles with \
    each attempt up to an hour. Each attempt has a container and a log of its own; `logs` shows the last one, `logs --attempt 1` the \
    first. In JSON, `attempts` has how each ended. Outcome, exit code and `wait` speak of the last one. `stop` and `kill` end it for \
    good. --timeout counts for each attempt. After a reboot, or if values of --env were lost with a killed process, it is not tried \
    again. --keep keeps the last container.";

/// The page of a command.
pub fn of(verb: &str) -> Page {
    match verb {
        "set" => page(
            [
                text(
                    "Without --slots, a queue runs one job at a time. With --cpus, --memory or --gpus, a job starts while the sum \
                     of the jobs' own limits fits, so each job needs that limit, and one that can never fit is refused. `none` \
                     removes a limit. What is not given stays as it is.",
                ),
                text(
                    "Jobs start in the order in which they came; the first one is never overtaken because it is large. A step of \
                     --priority passes up to 1000 older jobs.",
                ),
                text(
                    "With --gpus, a run that asks for --gpus N gets N devices of its own and gives them back at its end. In JSON, \
                     `gpus` of the run names them.",
                ),
            ],
            &[
                "longshore queue set build --slots 2",
                "longshore queue set train --gpus 0,1,2,3",
                "longshore queue set big --cpus 8 --memory 24g --slots none",
            ],
        ),
        "list" => page(
            [text(
                "WAITING also counts jobs that wait for others. TOOK is the median of the last twenty jobs. DONE is when the last \
                 job will have ended, if each takes so long.",
            )],
            &["longshore queue list", "longshore ps --filter queue=train"],
        ),
        "pause" => {
            page([text("Jobs can still be added. They wait until `queue resume`.")], &["longshore queue pause train"])
        }
        "resume" => page(
            [text(
                "After a reboot, or if a process was killed, a queued job has no supervisor. It was certainly not started, so this \
                 command, and every other one that changes something, gives it a new one in its old place. A job that may have \
                 started is never started again. A run that was given --env cannot be queued again, because values of variables \
                 are not stored: it ends as `lost`.",
            )],
            &["longshore queue resume train", "longshore queue resume    # for @reboot in a crontab"],
        ),
        "rm" => page(
            [text("A queue that has jobs is refused. A job that names the queue later makes it again, with one slot.")],
            &["longshore queue rm train"],
        ),
        _ => Page::default(),
    }
}
