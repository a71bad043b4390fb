// A source of your own: a queue over HTTP that is read page by page, with acknowledgements.
//
// Run:    deno run -A examples/custom_source.ts
// Prints: three jobs, then that a stop came; the other two jobs in the second run
import { Slipstream } from "@slipstream/slipstream";
import { batchReader, type BatchSource, openSource } from "@slipstream/slipstream/protocol";

/** A job of the queue. */
export interface Job {
  readonly id: number;
  readonly task: string;
}

/**
 * The jobs of a queue server that were not acknowledged, in order; ends when there are none.
 *
 * `GET /jobs?after=ID` answers the next page of jobs behind an id, `POST /acknowledge?id=ID` acknowledges all jobs up to an
 * id. Without `after`, a page begins behind the last job that was acknowledged.
 */
export function jobsOf(server: string): BatchSource<Job> {
  return {
    [openSource]: () =>
      batchReader(async function* (signal) {
        // Pages are asked for ahead of the acknowledgements, so each one names the last job of the page before.
        for (let after = "";;) {
          // The signal ends the wait when the run is stopped.
          const response = await fetch(`${server}/jobs${after}`, { signal });
          if (!response.ok) throw new Error(`the queue answered ${response.status}: ${await response.text()}`);
          const messages: Job[] = await response.json();
          if (messages.length === 0) return;
          after = `?after=${messages.at(-1)!.id}`;
          yield {
            messages,
            // After a stop in the middle of a page, only the first jobs of it are handled. No signal here: it has aborted.
            async done(handled = messages.length) {
              const { id } = messages[handled - 1]!;
              const response = await fetch(`${server}/acknowledge?id=${id}`, { method: "POST" });
              await response.body?.cancel();
              if (!response.ok) throw new Error(`the queue did not take the acknowledgement of job ${id}`);
            },
            describe: ({ id }) => `job ${id}`,
          };
        }
      }),
  };
}

/** A queue server with some jobs, for this example and its tests. */
export function startQueue(tasks: readonly string[], pageSize: number) {
  const jobs: Job[] = tasks.map((task, index) => ({ id: index + 1, task }));
  let acknowledged = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/jobs") {
      const after = Number(searchParams.get("after") ?? acknowledged);
      return Response.json(jobs.filter(({ id }) => id > after).slice(0, pageSize));
    }
    acknowledged = Number(searchParams.get("id"));
    return new Response();
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    /** The id of the last job that was acknowledged. */
    get acknowledged() {
      return acknowledged;
    },
    close: () => server.shutdown(),
  };
}

if (import.meta.main) {
  const queue = startQueue(["wash", "rinse", "spin", "dry", "fold"], 2);
  const app = new Slipstream();
  const enough = new AbortController();
  app.handle(jobsOf(queue.url), { sink: console.log }, ({ id, task }) => {
    if (task === "spin") enough.abort(); // It is finished, and the next one is not begun.
    return `${id}: ${task}`;
  });
  await app.stream({ signal: enough.signal });
  console.log(`${queue.acknowledged} acknowledged, then stopped`);
  await app.stream();
  console.log(`${queue.acknowledged} acknowledged`);
  await queue.close();
}
