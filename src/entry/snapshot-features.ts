/** A part of the snapshot: what `features` prints of the compiler is computed while that is made. */
import { compiledFeatures } from '../plan/features-document.js';

compiledFeatures();
