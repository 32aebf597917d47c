import { testOnWebgpu } from "./on-webgpu.js";

testOnWebgpu(["decode/", "laws/mask", "masks/empty-rows", "pairs/plain"]);
