// The ceiling: Bun.serve, same path and body, awaits req.json(), no token check, constant answer.
// A process of its own; its argument is the port.

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.argv[2]),
  reusePort: false,
  development: false,
  routes: {
    "/v1/sales/:sale/skus/:sku/hold": {
      PUT: async (request) => {
        await request.json();
        return new Response('{"held":true}', {
          headers: { "content-type": "application/json" },
        });
      },
    },
    "/livez": { GET: () => new Response("live") },
  },
  fetch: () => new Response(null, { status: 404 }),
});
console.log(`listening on ${server.port}`);
