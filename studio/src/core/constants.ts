/** Numbers that drawing in the page and in Python share; what each means stands in `src/sketch_pix2seq/drawing`. */

import constants from "../../../src/sketch_pix2seq/drawing/constants.json";

export const { sampler: SAMPLER, flow: FLOW, model: MODEL, complete: COMPLETE } = constants;
