/**
 * Checks the header of a shared library before the system opens it.
 *
 * @module
 */

const ELF_MACHINES: Readonly<Record<number, string>> = {
  3: "x86",
  21: "ppc64",
  22: "s390x",
  40: "arm",
  62: "x86_64",
  183: "aarch64",
  243: "riscv",
};
const MACH_CPUS: Readonly<Record<number, string>> = { 0x01000007: "x86_64", 0x0100000c: "aarch64" };
/** An ELF segment that is mapped into memory. */
const PT_LOAD = 1;

/**
 * Returns why a file is not a shared library for this machine, judging by its header; `undefined` if it seems to be one, or
 * if the program has no permission to read it. Never prompts.
 *
 * Call it before `dlopen()`. Linux maps a truncated file, and the process dies of SIGBUS when it touches the missing part; a
 * pipe blocks `dlopen()` for ever.
 */
export function sharedObjectProblem(path: string): string | undefined {
  // The system looks up a name without a slash in its own folders.
  if (!path.includes("/")) return undefined;
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return undefined;
  try {
    const { isFile, size } = Deno.statSync(path);
    if (!isFile) return "is not a file";
    using file = Deno.openSync(path);
    return headerProblem(file, size);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return "no such file";
    return `can't be read: ${error instanceof Error ? error.message : error}`;
  }
}

function headerProblem(file: Deno.FsFile, size: number): string | undefined {
  const header = read(file, 0, 64);
  const magic = header.getUint32(0);
  const elf = magic === 0x7f454c46, mach = header.getUint32(0, true) === 0xfeedfacf;
  // A universal binary holds code for several machines: macOS picks its own, and reports if it finds none.
  if (magic === 0xcafebabe && Deno.build.os === "darwin") return undefined;
  if (!elf && !mach) return "is not a shared library";
  if (elf !== (Deno.build.os === "linux")) {
    return `is built for ${elf ? "Linux" : "macOS"}, and this is ${Deno.build.os}`;
  }
  const built = elf ? elfMachine(header) : machMachine(header);
  if (built !== Deno.build.arch) return `is built for ${built}, and this is ${Deno.build.arch}`;
  const needed = elf ? elfSize(file, header) : 0;
  return size < needed ? `is truncated: it has ${size} bytes, and needs at least ${needed}` : undefined;
}

function elfMachine(header: DataView): string {
  const littleEndian = header.getUint8(5) !== 2;
  const machine = header.getUint16(18, littleEndian);
  return ELF_MACHINES[machine] ?? `ELF machine ${machine}`;
}

function machMachine(header: DataView): string {
  const cpu = header.getUint32(4, true);
  return MACH_CPUS[cpu] ?? `Mach-O CPU ${cpu}`;
}

/** The least size of a 64-bit little-endian ELF file that contains all its segments. */
function elfSize(file: Deno.FsFile, header: DataView): number {
  const offset = Number(header.getBigUint64(32, true));
  const [entrySize, count] = [header.getUint16(54, true), header.getUint16(56, true)];
  let needed = Math.max(64, offset + entrySize * count);
  for (let index = 0; index < count; index++) {
    const entry = read(file, offset + index * entrySize, 40);
    if (entry.getUint32(0, true) !== PT_LOAD) continue;
    needed = Math.max(needed, Number(entry.getBigUint64(8, true)) + Number(entry.getBigUint64(32, true)));
  }
  return needed;
}

/** Reads bytes; those behind the end of the file are zeros. */
function read(file: Deno.FsFile, offset: number, length: number): DataView {
  const bytes = new Uint8Array(length);
  file.seekSync(offset, Deno.SeekMode.Start);
  for (let filled = 0; filled < length;) {
    const count = file.readSync(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return new DataView(bytes.buffer);
}
