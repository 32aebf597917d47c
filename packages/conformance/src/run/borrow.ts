import type { AttentionBackend } from "@heed/core";

/** The backend without its `dispose`: it outlives the attention that borrows it. */
export function borrow(backend: AttentionBackend): AttentionBackend {
  return {
    name: backend.name,
    info: backend.info,
    supports: (problem) => backend.supports(problem),
    plan: (problem) => backend.plan(problem),
    ...(backend.memory && { memory: backend.memory }),
    ...(backend.upload && {
      upload: (t) => (backend.upload as NonNullable<typeof backend.upload>)(t),
    }),
    dispose: () => {},
  };
}
