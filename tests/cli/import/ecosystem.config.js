module.exports = { apps: [{ name: 'app', script: './app.js' }] };
