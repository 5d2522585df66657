//! The guide "Writing a Backend".
//!
#![doc = include_str!("guide/links.md")]
#![doc = include_str!("guide/index.md")]
#![cfg_attr(
    not(all(
        unix,
        feature = "compliance",
        feature = "descriptor",
        feature = "notify",
        feature = "recursion",
        feature = "sample"
    )),
    allow(rustdoc::broken_intra_doc_links, reason = "what it links to may be left out")
)]

pub mod _1_getting_started {
    #![doc = include_str!("guide/links.md")]
    #![doc = include_str!("guide/1_getting_started.md")]
}
pub mod _2_base_code_explainer {
    #![doc = include_str!("guide/links.md")]
    #![doc = include_str!("guide/2_base_code_explainer.md")]
}
pub mod _3_testing_and_testing {
    #![doc = include_str!("guide/links.md")]
    #![doc = include_str!("guide/3_testing_and_testing.md")]
}
pub mod _4_walk_through {
    #![doc = include_str!("guide/links.md")]
    #![doc = include_str!("guide/4_walk_through.md")]

    pub mod step_1 {
        #![doc = include_str!("guide/4_walk_through/step_1.md")]
    }
    pub mod step_2 {
        #![doc = include_str!("guide/4_walk_through/step_2.md")]
    }
    pub mod step_3 {
        #![doc = include_str!("guide/4_walk_through/step_3.md")]
    }
    pub mod step_4 {
        #![doc = include_str!("guide/4_walk_through/step_4.md")]
    }
    pub mod step_5 {
        #![doc = include_str!("guide/4_walk_through/step_5.md")]
    }
}
pub mod _5_the_details {
    #![doc = include_str!("guide/links.md")]
    #![doc = include_str!("guide/5_the_details.md")]
}
pub mod _6_platform_notes {
    #![doc = include_str!("guide/links.md")]
    #![doc = include_str!("guide/6_platform_notes.md")]
}
pub mod _7_finishing_up {
    #![doc = include_str!("guide/links.md")]
    #![doc = include_str!("guide/7_finishing_up.md")]
}
pub mod _8_for_frontends {
    #![doc = include_str!("guide/links.md")]
    #![doc = include_str!("guide/8_for_frontends.md")]
}
