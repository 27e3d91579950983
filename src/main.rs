#![no_main]

memlatch::program!(memlatch::run);
