//! How several roles share one packed tensor, as declarations write it.

use crate::waist::roles::Role;

/// Reads `"query | key | value"`: the roles that one tensor holds, in the order of their rows.
pub(crate) fn read_roles(text: &str) -> Result<Vec<Role>, String> {
    let roles = text.split('|').map(|role| role.trim().parse()).collect::<Result<Vec<Role>, _>>()?;
    if let Some(twice) = roles.iter().enumerate().find(|(i, role)| roles[..*i].contains(role)) {
        return Err(format!("`{text}` names `{}` twice", twice.1));
    }
    Ok(roles)
}

/// Whether one tensor may hold these roles.
pub(crate) fn share(roles: &[Role]) -> Result<(), String> {
    let alone = roles.iter().find(|role| !role.packs()).filter(|_| roles.len() > 1);
    let Some(alone) = alone else { return Ok(()) };
    let can: Vec<_> = Role::ALL.into_iter().filter(|role| role.packs()).map(Role::name).collect();
    Err(format!(
        "`{}`: `{alone}` has a tensor of its own; only {} may share one",
        write_roles(roles),
        can.join(", ")
    ))
}

/// `query | key | value`, as declarations write it.
pub(crate) fn write_roles(roles: &[Role]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" | ")
}
