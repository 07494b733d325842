import { catalogueSuite } from "./catalogue.suite.ts";
import { CONTROL_DIALECTS } from "./control-stores.ts";

for (const dialect of CONTROL_DIALECTS) catalogueSuite(dialect);
