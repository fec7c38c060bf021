/** authorize-workspace: what the claims of F5 let authors, controllers and collectors write. */
import { generateFromClaims } from '../compared-with-reference.ts';
import type { Material } from '../material.ts';

export const material: Material = {
  continues: false,
  corpus: null,
  vectors: () => [],
  generate: generateFromClaims('authorize-workspace'),
};
