import {
  type Backend,
  type BackendInfo,
  BackendUnavailableError,
  defineBackend,
  merge,
  type Provider,
  projection,
  rmsNorm,
  rotary,
  zeros,
} from "@heed/core";
import { Cluster } from "./client/cluster.js";
import { allocateZeros, upload } from "./client/spread.js";
import { attentionKernels, hereKernels, scatterKernels } from "./kernels.js";
import type { ReadOptions } from "./options.js";
import { connectNats } from "./transport/nats.js";

/** The backend over a group of workers. */
export function clusterProvider(options: ReadOptions): Provider {
  return defineBackend<Cluster>({
    name: "cluster",
    load: () => loadCluster(options),
    info: infoOf,
    operations: {
      attention: attentionKernels,
      merge: hereKernels(merge),
      projection: hereKernels(projection),
      rmsNorm: hereKernels(rmsNorm),
      rotary: hereKernels(rotary),
      scatter: scatterKernels,
    },
    memory: (cluster) => ({
      upload: (t) => upload(cluster, t),
      allocate: (dtype, shape) => allocateZeros(cluster, dtype, shape, zeros),
    }),
    dispose: (cluster) => cluster.dispose(),
  });
}

async function loadCluster({ nats, settings, connect, local }: ReadOptions): Promise<Cluster> {
  const transport = await (connect?.() ?? connectNats(nats)).catch((cause: unknown) => {
    const { message } = cause as Error;
    const reason = `no NATS server can be reached at ${nats.servers.join(", ")}: ${message}`;
    throw new BackendUnavailableError(reason, "start one with nats-server", { cause });
  });
  const cluster = new Cluster(transport, settings);
  await cluster.meet();
  const { length } = cluster.members.live;
  if (length >= settings.replicas) {
    cluster.local = await loadLocal(local, cluster);
    return cluster;
  }
  cluster.dispose();
  throw new BackendUnavailableError(
    length === 0
      ? `no worker of the group ${settings.group} answers`
      : `${length} workers of the group ${settings.group} answer, and each part is to be on ${settings.replicas}`,
    "start workers with npx heed-worker",
  );
}

async function loadLocal(local: Provider | undefined, cluster: Cluster): Promise<Backend | null> {
  try {
    return (await local?.load()) ?? null;
  } catch (error) {
    cluster.dispose();
    throw error;
  }
}

function infoOf(cluster: Cluster): BackendInfo {
  const { live } = cluster.members;
  const devices = new Set(live.map(({ beat }) => beat.device));
  const threads = live.reduce((sum, { beat }) => sum + beat.threads, 0);
  return {
    runtime: "NATS",
    // The arithmetic of IEEE 754 is promised where every worker promises it.
    device: devices.size === 1 ? ([...devices][0] as string) : [...devices].join(", "),
    features: [...new Set(live.map(({ beat }) => beat.backend))],
    threads,
    get notes() {
      const workers = cluster.members.live.map(({ name, beat }) => {
        const used = `${beat.usedBytes} of ${beat.memoryBytes} bytes in use`;
        return `worker ${name}: ${beat.backend} on ${beat.device}, ${beat.parts} parts, ${used}`;
      });
      const here = cluster.local === null ? [] : [`in this process: ${cluster.local.name}`];
      return [...workers, ...cluster.describePlacements(), ...here];
    },
  };
}
