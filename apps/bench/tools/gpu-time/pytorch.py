"""Times torch.nn.functional.scaled_dot_product_attention on each of its CUDA backends.

Reads {runs, warm, calls} as JSON from stdin; writes {device, results} or {missing} to stdout. A call's
result is a list of {contender, ms} or {contender, reason}. The GPU is kept busy for `warm` seconds before
each measurement.
"""

import json
import statistics
import sys
import time as clock


def main():
    request = json.load(sys.stdin)
    try:
        import torch
        from torch.nn.attention import SDPBackend, sdpa_kernel
    except ImportError as error:
        return {"missing": str(error)}
    if not torch.cuda.is_available():
        return {"missing": "this PyTorch has no CUDA device"}
    # No TensorFloat-32: float32 means float32.
    torch.backends.cuda.matmul.allow_tf32 = False
    backends = {
        "math": SDPBackend.MATH,
        "memory-efficient": SDPBackend.EFFICIENT_ATTENTION,
        "flash": SDPBackend.FLASH_ATTENTION,
        "cudnn": SDPBackend.CUDNN_ATTENTION,
    }

    def inputs_of(call):
        dtype = getattr(torch, call["dtype"])
        sizes = [
            ("queryHeads", "queryLength", "headDim"),
            ("kvHeads", "keyLength", "headDim"),
            ("kvHeads", "keyLength", "valueDim"),
        ]
        return [
            torch.randn([call["batch"], *(call[name] for name in names)], dtype=dtype, device="cuda")
            for names in sizes
        ]

    def rules_of(call):
        extra = [name for name in ("window", "softcap", "bias", "sinks") if call.get(name)]
        if extra:
            raise RuntimeError(f"scaled_dot_product_attention has no {extra[0]}")
        if call.get("causal") and call["queryLength"] != call["keyLength"]:
            raise RuntimeError("its causal is aligned to the first key")
        rules = {"is_causal": bool(call.get("causal"))}
        if call["queryHeads"] != call["kvHeads"]:
            rules["enable_gqa"] = True
        return rules

    def warm_up():
        # A GPU that had nothing to do runs at a fraction of its clock.
        square = torch.ones(2048, 2048, device="cuda")
        end = clock.perf_counter() + request["warm"]
        while clock.perf_counter() < end:
            square @ square
            torch.cuda.synchronize()

    def time(call, backend):
        tensors = inputs_of(call)
        rules = rules_of(call)
        attention = torch.nn.functional.scaled_dot_product_attention
        warm_up()
        times = []
        with torch.no_grad(), sdpa_kernel(backend):
            for run in range(request["runs"] + 3):
                start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                start.record()
                attention(*tensors, **rules)
                end.record()
                torch.cuda.synchronize()
                if run >= 3:
                    times.append(start.elapsed_time(end))
        return statistics.median(times)

    def result(call, name, backend):
        contender = f"PyTorch {name}"
        try:
            return {"contender": contender, "ms": time(call, backend)}
        except (RuntimeError, TypeError) as error:
            return {"contender": contender, "reason": str(error).strip().split("\n")[0]}

    return {
        "device": f"{torch.__version__} on {torch.cuda.get_device_name()}",
        "results": [
            [result(call, name, backend) for name, backend in backends.items()]
            for call in request["calls"]
        ],
    }


json.dump(main(), sys.stdout)
