import test from "node:test";
import assert from "node:assert/strict";
import { splitStep } from "../lib/steps.js";

test("splitStep_commandAndPurpose_arePartedAtTheGap", () => {
  for (const [step, command, why] of [
    ["lmvm wcifs   (version and vendor)", "lmvm wcifs", "version and vendor"],
    ['findstr /m /l /c:"WCsc" %SystemRoot%\\*.sys   (drivers (all) that hold it)', 'findstr /m /l /c:"WCsc" %SystemRoot%\\*.sys', "drivers (all) that hold it"],
    ['!for_each_module s -a @#Base @#End "a (b)"', '!for_each_module s -a @#Base @#End "a (b)"', ""],
    ["!vm 1", "!vm 1", ""],
    ["!poolused 2 \u2014 by size", "!poolused 2", "by size"],
    ["poolmon /n one.log, an hour later poolmon /n two.log", "poolmon /n one.log, an hour later poolmon /n two.log", ""],
  ]) assert.deepEqual(splitStep(step), { command, why });
});
