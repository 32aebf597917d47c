import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build as esbuild } from "esbuild";
import { build as vite } from "vite";

/** This package, whose dependencies a bundled application finds. */
const root: string = fileURLToPath(new URL("..", import.meta.url));

/** A bundled application. */
export interface Bundle {
  /** The folder of its files. */
  readonly directory: string;
  /** File of the entry, relative to the directory. */
  readonly entry: string;
  /** Files that are loaded before the application's first line: the entry and what it imports at once. */
  readonly first: readonly string[];
  /** Every file. */
  readonly files: readonly string[];
  /** Bytes of a file, compressed by gzip. */
  gzip(file: string): Promise<number>;
  /** Bytes of {@link first}, each compressed by gzip. */
  readonly firstBytes: number;
}

export type Bundler = "vite" | "esbuild" | "webpack";

/** The folder into which npm installed webpack, if the environment names one. */
export const webpackPath: string | undefined = process.env.WEBPACK_PATH;

/** Next to the package's own files, so that its dependencies are found; ignored by git. */
const applicationsFolder = join(root, "dist", ".bundles");

/** Folders that this process made; another one makes others at the same time. */
const made = new Set<string>();

/** A module on disk of which `heed` is a dependency. */
export async function applicationFile(source: string): Promise<string> {
  await mkdir(applicationsFolder, { recursive: true });
  const folder = await mkdtemp(join(applicationsFolder, "app-"));
  made.add(folder);
  await writeFile(join(folder, "application.js"), source);
  return join(folder, "application.js");
}

/** Removes the applications' modules. */
export async function removeBundles(): Promise<void> {
  const folders = [...made];
  made.clear();
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true })));
}

const bundlers = { vite: byVite, esbuild: byEsbuild, webpack: byWebpack };

/**
 * Bundles an application of one module for browsers, split and minified, from what was built of this
 * package.
 *
 * @param source the application
 * @param directory an empty folder
 */
export async function bundle(bundler: Bundler, source: string, directory: string): Promise<Bundle> {
  const application = await applicationFile(source);
  const chunks = await bundlers[bundler](application, directory);
  const entry = chunks.find(({ isEntry }) => isEntry) as Chunk;
  const first = new Set<string>();
  const follow = (file: string): void => {
    if (first.has(file)) return;
    first.add(file);
    for (const next of chunks.find((chunk) => chunk.file === file)?.imports ?? []) follow(next);
  };
  follow(entry.file);
  const gzip = async (file: string): Promise<number> =>
    gzipSync(await readFile(join(directory, file)), { level: 9 }).length;
  const bytes = await Promise.all([...first].map(gzip));
  return {
    directory,
    entry: entry.file,
    first: [...first],
    files: chunks.map(({ file }) => file),
    gzip,
    firstBytes: bytes.reduce((a, b) => a + b, 0),
  };
}

interface Chunk {
  readonly file: string;
  readonly isEntry: boolean;
  /** Files that it imports by a statement. */
  readonly imports: readonly string[];
}

async function byVite(application: string, directory: string): Promise<Chunk[]> {
  const built = await vite({
    root,
    configFile: false,
    logLevel: "error",
    build: {
      outDir: directory,
      emptyOutDir: false,
      rolldownOptions: { input: application },
    },
  });
  const { output } = (Array.isArray(built) ? built[0] : built) as {
    output: readonly { fileName: string; isEntry?: boolean; imports?: readonly string[] }[];
  };
  return output.map(({ fileName, isEntry = false, imports = [] }) => ({
    file: fileName,
    isEntry,
    imports,
  }));
}

async function byEsbuild(application: string, directory: string): Promise<Chunk[]> {
  const { metafile } = await esbuild({
    entryPoints: [application],
    outdir: directory,
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    metafile: true,
    logLevel: "error",
    absWorkingDir: directory,
  });
  return Object.entries(metafile.outputs).map(([file, { entryPoint, imports }]) => ({
    file,
    isEntry: entryPoint?.endsWith("application.js") ?? false,
    imports: imports.filter(({ kind }) => kind === "import-statement").map(({ path }) => path),
  }));
}

/** webpack's interface, as far as it is used. */
type Webpack = (options: object, done: (error: Error | null, stats: Stats) => void) => unknown;

interface Stats {
  toJson(options: object): {
    readonly errors: readonly { readonly message: string }[];
    readonly warnings: readonly { readonly message: string }[];
    readonly assets: readonly { readonly name: string }[];
    readonly entrypoints: Readonly<
      Record<string, { readonly assets: readonly { readonly name: string }[] }>
    >;
  };
}

async function byWebpack(application: string, directory: string): Promise<Chunk[]> {
  const { default: webpack } = (await import(/* @vite-ignore */ webpackPath as string)) as {
    default: Webpack;
  };
  const { errors, warnings, assets, entrypoints } = await new Promise<ReturnType<Stats["toJson"]>>(
    (resolve, reject) => {
      const options = {
        mode: "production",
        context: root,
        entry: application,
        output: { path: directory, publicPath: "/" },
        // Applications have other limits.
        performance: false,
      };
      webpack(options, (error, stats) =>
        error
          ? reject(error)
          : resolve(
              stats.toJson({
                all: false,
                assets: true,
                entrypoints: true,
                errors: true,
                warnings: true,
              }),
            ),
      );
    },
  );
  const messages = [...errors, ...warnings].map(({ message }) => message);
  if (messages.length > 0) throw new Error(messages.join("\n"));
  const first = entrypoints.main?.assets.map(({ name }) => name) ?? [];
  return assets.map(({ name }) => ({
    file: name,
    isEntry: name === first.at(-1),
    imports: name === first.at(-1) ? first.slice(0, -1) : [],
  }));
}
