// worker.js - a worker in Node.js, without packages:
// {"pools": {"js": {"command": ["node", "/path/worker.js"], "protocol": "tasks"}}}
const targets = {
  __proto__: null,
  square: x => x * x,
  divide: (a, b) => { if (b === 0) throw new RangeError('division by zero'); return a / b; },
  join: async (...words) => words.join(' '),
};

const channel = new (require('net').Socket)({ fd: Number(process.env.DROVER_TASKS_FD), allowHalfOpen: true });
let rest = '';
channel.setEncoding('utf8').on('data', async data => {
  const lines = (rest + data).split('\n'); // not readline, which ends lines at U+2028 too
  rest = lines.pop();
  for (const { id, method, params } of lines.map(line => JSON.parse(line))) {
    const answer = { jsonrpc: '2.0', id };
    try {
      answer.result = await targets[method](...params.args) ?? null;
    } catch (e) {
      answer.error = { code: method in targets ? 1 : -32601, message: `${e.name}: ${e.message}`, data: { type: e.name, traceback: e.stack } };
    }
    channel.write(JSON.stringify(answer) + '\n');
  }
});
