import { clusterRecordSuite } from "./cluster-record.suite.ts";
import { CONTROL_DIALECTS } from "./control-stores.ts";

for (const dialect of CONTROL_DIALECTS) clusterRecordSuite(dialect);
