//! What holds of the parser and the pipeline for every frame, on frames by chance and in virtual time.

#[path = "properties/loss.rs"]
mod loss;
#[path = "properties/node.rs"]
mod node;
#[path = "properties/parser.rs"]
mod parser;
#[path = "properties/round_trip.rs"]
mod round_trip;
#[path = "properties/short_way.rs"]
mod short_way;
