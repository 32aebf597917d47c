#!/usr/bin/env node
import { main } from "../dist/cli/device-report.js";

process.exitCode = await main(process.argv.slice(2));
