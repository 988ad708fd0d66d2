// The single-file program's way from CommonJS, which it begins in, to the modules that it unpacked.
void import(require('node:url').pathToFileURL(process.argv[1]).href);
