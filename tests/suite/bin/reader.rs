//! The reader child for the tests of the live source: nothing but its main loop, without the rest of the agent.

fn main() {
    assay_collector::live::reader_main()
}
