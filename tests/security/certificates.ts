/**
 * Makes certificates for tests with openssl: those of an authority, a broker and a client.
 *
 * @module
 */

import { join } from "node:path";

/** The password of the client's key in `client.locked.key`. */
export const PASSPHRASE = "hush";

/** The folder of the PEM files. */
export class Certificates implements AsyncDisposable {
  private constructor(readonly dir: string) {}

  /** @param names the names in the broker's certificate, in openssl's form: `IP:127.0.0.1` or `DNS:localhost` */
  static async make(names: Readonly<Record<string, string>>): Promise<Certificates> {
    const dir = await Deno.makeTempDir({ prefix: "slipstream-certificates-" });
    const made = new Certificates(dir);
    const authority = ["-CA", made.path("ca.crt"), "-CAkey", made.path("ca.key")];
    const make = async (name: string, ...more: string[]) => {
      const [key, crt] = [made.path(`${name}.key`), made.path(`${name}.crt`)];
      const days = ["-x509", "-days", "2", "-nodes", "-newkey", "rsa:2048"];
      await openssl("req", ...days, "-keyout", key, "-out", crt, "-subj", `/CN=slipstream ${name}`, ...more);
      // The form in which Kafka reads a key store.
      await Deno.writeTextFile(
        made.path(`${name}.pem`),
        await made.text(`${name}.key`) + await made.text(`${name}.crt`),
      );
    };
    await make("ca", "-addext", "keyUsage=critical,keyCertSign");
    for (const [name, alternative] of Object.entries(names)) {
      const own = ["-addext", "basicConstraints=critical,CA:FALSE"];
      await make(name, ...authority, ...own, "-addext", `subjectAltName=${alternative}`);
    }
    await make("stranger");
    const locked = ["-aes256", "-passout", `pass:${PASSPHRASE}`, "-out", made.path("client.locked.key")];
    await openssl("rsa", "-in", made.path("client.key"), ...locked);
    await made.#makeExpired(authority, Object.values(names)[0]!);
    return made;
  }

  /** Makes certificates that expired yesterday, for the broker and for a client. */
  async #makeExpired(authority: readonly string[], alternative: string): Promise<void> {
    const [key, crt, request] = ["expired.key", "expired.crt", "expired.csr"].map((file) => this.path(file)) as [
      string,
      string,
      string,
    ];
    const subject = ["-subj", "/CN=slipstream expired", "-addext", `subjectAltName=${alternative}`];
    await openssl("req", "-new", "-nodes", "-newkey", "rsa:2048", "-keyout", key, "-out", request, ...subject);
    const copied = ["-days", "-1", "-copy_extensions", "copy"];
    await openssl("x509", "-req", "-in", request, ...authority, ...copied, "-out", crt);
    await Deno.writeTextFile(this.path("expired.pem"), await this.text("expired.key") + await this.text("expired.crt"));
  }

  path(file: string): string {
    return join(this.dir, file);
  }

  text(file: string): Promise<string> {
    return Deno.readTextFile(this.path(file));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Deno.remove(this.dir, { recursive: true });
  }
}

async function openssl(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args }).output();
  if (!success) throw new Error(`openssl ${args[0]}: ${new TextDecoder().decode(stderr)}`);
}
