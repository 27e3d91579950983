#![no_main]

memlatch_os::program!(memlatch::run);
