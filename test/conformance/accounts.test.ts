import { accountsSuite } from "./accounts.suite.ts";
import { CONTROL_DIALECTS } from "./control-stores.ts";

for (const dialect of CONTROL_DIALECTS) accountsSuite(dialect);
