import { Topic, bytes, json } from "../mod.ts";
import { LocalBroker } from "../src/testing/mod.ts";
await using broker = await LocalBroker.start();
broker.createTopic("emoji", { partitions: 2 });
const c = { "bootstrap.servers": broker.bootstrapServers, "group.id": "g", "auto.offset.reset": "earliest" } as const;
{
await using t = new Topic("emoji", c, { until: "end" });
console.log(await t.send("trophy", "🏆", { headers: { a: "b" }, partition: 1, timestamp: 5000 }));
console.log(await t.sendBatch([["fish", "🐟"], ["x", null], ["y", ""], [null, "z"]]));
for await (const m of t) console.log(m);
console.log(await t.lag());
}
{ await using t = new Topic("emoji", c, { until: "end" }); console.log(await t.lag()); let n = 0; for await (const _ of t) n++; console.log("again", n);  }
{ await using t = new Topic("emoji", { "bootstrap.servers": broker.bootstrapServers }, { until: "end", offset: "beginning" }); let n = 0; const p=performance.now(); for await (const _ of t.readable) n++; console.log("no group", n, performance.now()-p);  }
{ const t = new Topic("emoji", c, { }); await t.seek("beginning"); let n=0; console.log("go"); for await (const m of t) { n++; console.log(m.offset); if (n===2) { await t.commit(m); console.log("committed"); } if (n===5) break; } console.log("seek", n); await t.close(); console.log("closed"); }
const w = new Topic("emoji", c).writable.getWriter();
const t0=performance.now(); for (let i=0;i<100000;i++) await w.write([`k${i}`,"v"]); await w.close(); console.log(performance.now()-t0);
try { new Topic("a b"); } catch (e) { console.log(String(e)); }
try { new Topic("ab", {"bootstrap.server":"x","linger.ms":"q", "sasl.password": (()=>1) as never, acks: 99999} as never); } catch (e) { console.log(String(e)); }
const s = new Topic("ab", {...c,"sasl.password":"hunter2"}); console.log(s, JSON.stringify(s), String(s.conf["sasl.password"]));
const t=performance.now(); const gone = new Topic("x",{"bootstrap.servers":"127.0.0.1:1"}); const sending = gone.send("a","b").catch(e=>console.log(String(e))); await new Promise(r=>setTimeout(r,3300)); const t1=performance.now(); await gone.close(); await sending; console.log("closed in", performance.now()-t1);
