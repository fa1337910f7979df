//! Every published size resolves, and its parameters are the published ones.

use camelid_families::Library;

#[test]
fn every_published_parameter_count_follows_from_its_declaration() {
    let library = Library::built_in().unwrap_or_else(|e| panic!("{e}"));
    let mut sizes = 0;
    for family in library.families() {
        assert!(!family.sizes.is_empty(), "{} declares no size", family.name);
        for size in &family.sizes {
            let architecture = family.resolve(&size.config, &[]).unwrap_or_else(|unresolved| {
                let problems: Vec<_> = unresolved.problems.iter().map(ToString::to_string).collect();
                panic!("{} {}:\n{}", family.name, size.name, problems.join("\n"))
            });
            assert_eq!(architecture.plan().parameters(), size.parameters, "{} {}", family.name, size.name);
            sizes += 1;
        }
    }
    assert!(sizes >= 47, "{sizes} sizes");
}

#[test]
fn a_size_is_detected_as_its_family_or_as_one_of_equal_numbers() {
    let library = Library::built_in().unwrap_or_else(|e| panic!("{e}"));
    for family in library.families() {
        for size in &family.sizes {
            let found = library.matching(&size.config).any(|candidate| candidate.name == family.name);
            assert!(found, "{} {} is not accepted by its own rule", family.name, size.name);
        }
    }
}
