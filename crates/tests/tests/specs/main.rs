//! The middle ring: a real control plane and proxy in one process, raw sockets, recording upstreams.
//!
//! One file a class of promise. Letters and numbers in the file heads name the classes of the threat list.

mod stage;

mod both_doors;
mod doors;

mod external_authorization;
mod framing_chunks;
mod framing_downgrade;
mod framing_lengths;
mod framing_lines;
mod framing_pauses;
mod framing_responses;
mod framing_trailers;
mod framing_upgrade;

mod addresses_and_sites;
mod authentication;
mod authentication_introspection;
mod authentication_libraries;
mod authentication_upstream;
mod authorization;
mod authorization_identity;
mod authorization_live;
mod authorization_members;
mod authorization_spellings;

mod canonical_hosts;
mod canonical_paths;
mod canonical_targets;

mod trust_forwarded;
mod trust_hop_by_hop;
mod trust_names;
mod trust_request_ids;
mod trust_set_fields;

mod exhaustion_floods;
mod exhaustion_headers;
mod exhaustion_resets;
mod exhaustion_sizes;
mod exhaustion_slow;

mod rates;
mod resilience;
mod transforms;
mod validation;

mod routing_cors;
mod routing_filters;
mod routing_matches;
mod routing_mirrors;
mod routing_names;
mod routing_pods;
mod routing_redirects;
mod routing_references;
mod routing_timeouts;
mod routing_weights;

mod http2_and_grpc;
mod http2_bad_upstreams;
mod tls_clients;
mod tls_listeners;
mod tls_own_certificate;
mod tls_upstreams;

mod planes_away;
mod planes_doors;
mod planes_herd;
mod planes_process;
mod planes_rejections;
mod planes_silent;
mod planes_stream;
mod planes_verbs;

mod bytes;
mod bytes_clients;
mod bytes_tls;
mod change;
mod drain;
mod keep_alive;
mod observe;
mod real_clients;
mod silence;
mod streaming;
mod syscalls;
