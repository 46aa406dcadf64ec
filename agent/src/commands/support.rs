//! `assay support`: what an engineer asks of this NAS, and what its owner answers.
