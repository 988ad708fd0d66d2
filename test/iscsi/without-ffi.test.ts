// Connections on sockets where koffi cannot be had: all data goes through Node's.

process.env['TCLI_FFI'] = 'off';
await import('./engine.test.ts');
await import('./socket-transport.test.ts');
