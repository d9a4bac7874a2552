//! The rules, one file each, in the order of their areas. To add one: a file and a line in `rules!`.

use crate::rule::ReviewRule;

macro_rules! rules {
    ($($name:ident,)*) => {
        $(pub(crate) mod $name;)*

        /// All rules, by area.
        pub static RULES: &[&ReviewRule] = &[$(&$name::RULE),*];
    };
}

rules! {
    hardcoded_secret,
    weak_default,
    secret_logged,
    secret_in_dump,
    secret_in_text,
    dynamic_execution,
    shell_command,
    import_allow_list,
    sandbox_guard,
    builtins_changed,
    sandbox_off,
    node_without_schema,
    query_injection,
    cypher_injection,
    prompt_from_input,
    template_injection,
    path_from_input,
    jsonpath_from_input,
    wide_tool_schema,
    unsafe_deserialization,
    unsafe_yaml,
    type_from_text,
    registry_unchecked,
    remote_code,
    endpoint_without_auth,
    token_in_query,
    tls_off,
    url_credentials,
    cloud_keys,
    exposed_listener,
    open_cors,
    prompt_internals,
    tool_internals,
    tool_text_passed_on,
    model_output_executed,
    hidden_instructions,
    shadowed_tool,
    path_traversal,
    archive_extracted,
    upload_unchecked,
    temp_file_left,
    files_allowed,
    open_permissions,
    stored_in_plain,
    sensitive_metadata,
    tenant_isolation,
    endless_memory,
    plain_http,
    no_timeout,
    ssrf,
    open_redirect,
    error_told,
    debug_server,
    wide_grant,
    vulnerable,
    unpinned,
    suspicious_source,
    suppressed,
    installed_at_run_time,
}
