/**
 * Runs Apache Kafka on this machine without Docker: one KRaft node, from the jars on Maven Central.
 *
 * As a module, it exports `startKafka()`. As a program:
 *
 * - `deno run -A tools/kafka.ts` starts it, prints its bootstrap servers, and stops it on SIGINT;
 * - `deno run -A tools/kafka.ts -- COMMAND ARGS…` runs the command with `KAFKA_BOOTSTRAP_SERVERS` set, stops Kafka,
 *   and exits with the command's code.
 *
 * Needs Java 17 or later, and Maven for the first run. The jars (54 MB) are kept in the user's cache folder.
 *
 * @module
 */

import { delimiter, join } from "node:path";
import { cacheFolder, freePort, INSTALL_JAVA, javaVersion, kill, runCommand } from "./servers.ts";

/** Options of `startKafka()`. */
export interface KafkaOptions {
  /** Kafka's version. @default "4.3.1" */
  readonly version?: string;
  /** The folder of the jars. @default a folder for the version in the user's cache folder */
  readonly cacheDir?: string;
  /** The port for clients on loopback. @default a free one */
  readonly port?: number;
  /** Properties for `server.properties`, which override the defaults. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Listeners in addition to the plain one, by name, such as `SASL_SSL`. */
  readonly listeners?: Readonly<Record<string, KafkaListener>>;
  /** Users of SASL SCRAM. */
  readonly scramUsers?: readonly ScramUser[];
  /** How long Kafka may take to start, in milliseconds. @default 60000 */
  readonly timeoutMs?: number;
}

/** A listener, with its own port. */
export interface KafkaListener {
  /** Its security protocol. */
  readonly protocol: "PLAINTEXT" | "SSL" | "SASL_PLAINTEXT" | "SASL_SSL";
  /** Its properties, without the prefix `listener.name.<name>.`. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** A user of SASL SCRAM. */
export interface ScramUser {
  /** The user's mechanism. */
  readonly mechanism: "SCRAM-SHA-256" | "SCRAM-SHA-512";
  /** The user's name. */
  readonly name: string;
  /** The user's password. */
  readonly password: string;
}

/** A running Kafka. */
export interface Kafka extends AsyncDisposable {
  /** The value for `bootstrap.servers`. */
  readonly bootstrapServers: string;
  /** The value for `bootstrap.servers` of each further listener, by name. */
  readonly listeners: Readonly<Record<string, string>>;
  /** Kafka's log so far. */
  log(): Promise<string>;
  /** The id of the Java process, which changes with `restart()`. */
  readonly pid: number;
  /** Kills Kafka (SIGKILL). Its data stays, for `restart()`. */
  kill(): Promise<void>;
  /** Starts Kafka again after `kill()`, with the same data and ports. Resolves when Kafka answers. */
  restart(): Promise<void>;
  /** Stops Kafka and removes its data. Idempotent. */
  stop(): Promise<void>;
}

const DEFAULTS = { version: "4.3.1", timeoutMs: 60_000 } as const satisfies KafkaOptions;

/** Starts Kafka and resolves when it answers. */
export async function startKafka(options: KafkaOptions = {}): Promise<Kafka> {
  const version = options.version ?? DEFAULTS.version;
  await requireJava();
  const classpath = await jars(version, options.cacheDir ?? join(cacheFolder(), "kafka", version));

  const data = await Deno.makeTempDir({ prefix: "slipstream-kafka-" });
  const logPath = join(data, "kafka.log");
  const log4j = join(data, "log4j2.properties");
  let child: Deno.ChildProcess | undefined;
  let logged: Promise<void> = Promise.resolve();
  let stopping: Promise<void> | undefined;

  const stop = () =>
    stopping ??= (async () => {
      if (child !== undefined) {
        kill(child, "SIGTERM");
        const timer = setTimeout(() => kill(child!, "SIGKILL"), 10_000);
        await child.status;
        clearTimeout(timer);
        await logged;
      }
      await Deno.remove(data, { recursive: true });
    })();

  try {
    await Deno.writeTextFile(log4j, LOG4J);
    const java = (main: string, ...args: string[]) =>
      new Deno.Command("java", {
        // Kafka's default heap of 1 GB is much for a CI machine that also runs the clients.
        args: ["-Xmx512m", "-Xms256m", `-Dlog4j2.configurationFile=${log4j}`, "-cp", classpath, main, ...args],
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      });

    const port = options.port ?? freePort();
    const config = join(data, "server.properties");
    const listeners = Object.entries(options.listeners ?? {}).map(([name, listener]) => ({
      ...listener,
      name,
      port: freePort(),
    }));
    await Deno.writeTextFile(
      config,
      serverProperties(port, freePort(), join(data, "log"), listeners, options.properties),
    );

    const scram = (options.scramUsers ?? []).flatMap(({ mechanism, name, password }) => [
      "--add-scram",
      `${mechanism}=[name=${name},password=${password}]`,
    ]);
    const id = (await output(java("kafka.tools.StorageTool", "random-uuid"))).trim().split("\n").at(-1)!;
    await output(java("kafka.tools.StorageTool", "format", "--standalone", "-t", id, "-c", config, ...scram));

    const run = async () => {
      const from = (await Deno.stat(logPath).catch(() => undefined))?.size ?? 0;
      child = java("kafka.Kafka", config).spawn();
      logged = writeLog(child, logPath);
      await untilStarted(child, port, logPath, from, options.timeoutMs ?? DEFAULTS.timeoutMs);
    };
    await run();
    return {
      bootstrapServers: `127.0.0.1:${port}`,
      listeners: Object.fromEntries(listeners.map(({ name, port }) => [name, `127.0.0.1:${port}`])),
      log: () => Deno.readTextFile(logPath),
      get pid() {
        return child!.pid;
      },
      async kill() {
        kill(child!, "SIGKILL");
        await child!.status;
        await logged;
      },
      async restart() {
        if (stopping !== undefined) throw new Error("Cannot restart Kafka: it was stopped, and its data is removed");
        await run();
      },
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Waits until Kafka logs that it has started and its port accepts a connection.
 *
 * @param from where in the log this start begins, in bytes
 */
async function untilStarted(
  child: Deno.ChildProcess,
  port: number,
  logPath: string,
  from: number,
  timeoutMs: number,
): Promise<void> {
  let exited: Deno.CommandStatus | undefined;
  child.status.then((status) => exited = status);
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const log = await Deno.readFile(logPath).then((bytes) => new TextDecoder().decode(bytes.subarray(from)), () => "");
    if (log.includes("Kafka Server started")) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return;
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      }
    }
    if (exited !== undefined || Date.now() > deadline) {
      const what = exited === undefined ? `did not start within ${timeoutMs} ms` : `exited with code ${exited.code}`;
      throw new Error(`Cannot start Kafka: it ${what}. The end of its log:\n${log.split("\n").slice(-40).join("\n")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Appends Kafka's stdout and stderr to one file. */
async function writeLog(child: Deno.ChildProcess, path: string): Promise<void> {
  const file = await Deno.open(path, { create: true, append: true });
  try {
    await Promise.all([child.stdout, child.stderr].map(async (stream) => {
      for await (const chunk of stream) await file.write(chunk);
    }));
  } finally {
    file.close();
  }
}

/** The configuration of a node for tests: loopback only, one replica of everything, and groups that wait for no members. */
function serverProperties(
  port: number,
  controllerPort: number,
  logDir: string,
  listeners: readonly (KafkaListener & { readonly name: string; readonly port: number })[],
  more: Readonly<Record<string, string>> = {},
): string {
  const all = [
    { name: "PLAINTEXT", protocol: "PLAINTEXT", port },
    { name: "CONTROLLER", protocol: "PLAINTEXT", port: controllerPort },
    ...listeners,
  ];
  const addresses = all.map(({ name, port }) => `${name}://127.0.0.1:${port}`).join();
  const properties: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listeners": addresses,
    "advertised.listeners": addresses,
    "listener.security.protocol.map": all.map(({ name, protocol }) => `${name}:${protocol}`).join(),
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.bootstrap.servers": `127.0.0.1:${controllerPort}`,
    // In a properties file a backslash begins an escape sequence.
    "log.dirs": logDir.replaceAll("\\", "/"),
    "num.partitions": "1",
    "auto.create.topics.enable": "true",
    "group.initial.rebalance.delay.ms": "0",
    // Tests write messages with old timestamps, which the default would delete half a minute after the start.
    "log.retention.ms": "-1",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
  };
  for (const { name, properties: own } of listeners) {
    for (const [key, value] of Object.entries(own ?? {})) {
      properties[`listener.name.${name.toLowerCase()}.${key}`] = value;
    }
  }
  Object.assign(properties, more);
  return Object.entries(properties).map(([name, value]) => `${name}=${value}\n`).join("");
}

const LOG4J = `status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss,SSS} %p %m (%c)%n
rootLogger.level=INFO
rootLogger.appenderRef.out.ref=out
`;

/** The class path, downloaded at first; the file `complete` says what was downloaded, to the end. */
async function jars(version: string, dir: string): Promise<string> {
  const lib = join(dir, "lib");
  const complete = join(dir, "complete");
  const xml = pomXml(version);
  if (await Deno.readTextFile(complete).catch(() => "") !== xml) {
    await Deno.remove(dir, { recursive: true }).catch(() => {/* Nothing there yet. */});
    await Deno.mkdir(dir, { recursive: true });
    const pom = join(dir, "pom.xml");
    await Deno.writeTextFile(pom, xml);
    const mvn = Deno.build.os === "windows" ? "mvn.cmd" : "mvn";
    const command = new Deno.Command(mvn, {
      args: ["-B", "-q", "-f", pom, "dependency:copy-dependencies", `-DoutputDirectory=${lib}`],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
    await output(command).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new Error("Cannot fetch Kafka: Maven is not installed (apt-get install maven, brew install maven)");
    });
    await Deno.writeTextFile(complete, xml);
  }
  const names = Array.from(Deno.readDirSync(lib), (entry) => join(lib, entry.name));
  return names.filter((name) => name.endsWith(".jar")).sort().join(delimiter);
}

function pomXml(version: string): string {
  const dependency = (group: string, artifact: string, version: string) =>
    `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>slipstream</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
${dependency("org.apache.kafka", "kafka_2.13", version)}
${dependency("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.1")}
${dependency("org.apache.logging.log4j", "log4j-core", "2.25.1")}
  </dependencies>
</project>
`;
}

async function requireJava(): Promise<void> {
  const major = await javaVersion();
  if (major === undefined || major < 17) {
    throw new Error(`Cannot start Kafka: it needs Java 17, found ${major ?? "none"}; ${INSTALL_JAVA}`);
  }
}

async function output(command: Deno.Command): Promise<string> {
  const { success, stdout, stderr } = await command.output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)) as [string, string];
  if (!success) throw new Error(`Cannot prepare Kafka:\n${`${out}\n${err}`.split("\n").slice(-40).join("\n")}`);
  return out;
}

if (import.meta.main) {
  Deno.exit(
    await runCommand(Deno.args, {
      name: "Kafka",
      start: () => startKafka(),
      print: ({ bootstrapServers }) => bootstrapServers,
      env: ({ bootstrapServers }) => ({ KAFKA_BOOTSTRAP_SERVERS: bootstrapServers }),
    }),
  );
}
