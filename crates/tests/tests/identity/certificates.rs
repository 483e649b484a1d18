//! What is given: judged by openssl, by Python's cryptography, and by the validator that goes with certomancer.

use serde_json::json;
use tests::tools;

use crate::plane::{CERTIFICATES, P256, Plane};

const IDENTITY: &str = "spiffe://bank.example/ns/shop/sa/cart";

/// Reads `leaf`, `roots` and verifies one by the other; prints what it found.
const JUDGE: &str = r#"
import sys, datetime
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID as EKU, ExtensionOID
from cryptography.x509 import verification
leaf = x509.load_pem_x509_certificate(open(sys.argv[1], 'rb').read())
roots = x509.load_pem_x509_certificates(open(sys.argv[2], 'rb').read())
root = roots[0]
leaf.verify_directly_issued_by(root)
ext = lambda kind: leaf.extensions.get_extension_for_class(kind)
san = ext(x509.SubjectAlternativeName)
assert [type(n).__name__ for n in san.value] == ['UniformResourceIdentifier', 'DNSName'], san
assert san.critical and len(leaf.subject) == 0
assert ext(x509.BasicConstraints).critical and not ext(x509.BasicConstraints).value.ca
usage = ext(x509.KeyUsage).value
assert usage.digital_signature and not usage.key_cert_sign and not usage.crl_sign
assert set(ext(x509.ExtendedKeyUsage).value) == {EKU.SERVER_AUTH, EKU.CLIENT_AUTH}
ski = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
assert ext(x509.AuthorityKeyIdentifier).value.key_identifier == ski
assert leaf.not_valid_after_utc <= root.not_valid_after_utc
assert leaf.not_valid_after_utc - datetime.datetime.now(datetime.UTC) <= datetime.timedelta(hours=24)
assert 120 <= leaf.serial_number.bit_length() <= 128
constraints = root.extensions.get_extension_for_class(x509.BasicConstraints).value
assert constraints.ca and constraints.path_length == 0
builder = verification.PolicyBuilder().store(verification.Store(roots))
verified = builder.build_client_verifier().verify(leaf, [])
names = san.value.get_values_for_type(x509.DNSName)
builder.build_server_verifier(x509.DNSName(names[0])).verify(leaf, [])
print(san.value.get_values_for_type(x509.UniformResourceIdentifier)[0], names[0])
"#;

/// The same by a validator of signatures, whose parser and path building are its own: that the chain is sound for what it
/// is for, and that neither another root, nor another use, nor the time after its end is.
const VALIDATE: &str = r#"
import asyncio, datetime, sys
from asn1crypto import pem, x509
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import PathBuildingError, ValidationError
read = lambda path: [x509.Certificate.load(der) for _, _, der in pem.unarmor(open(path, 'rb').read(), multiple=True)]
(leaf, *chain), roots, others = read(sys.argv[1]), read(sys.argv[2]), read(sys.argv[3])
def judged(roots, usage, extended, **when):
    context = ValidationContext(trust_roots=roots, allow_fetching=False, **when)
    validator = CertificateValidator(leaf, intermediate_certs=chain, validation_context=context)
    return asyncio.run(validator.async_validate_usage({usage}, {extended}, extended_optional=False))
for extended in ('server_auth', 'client_auth'):
    assert len(judged(roots, 'digital_signature', extended)) == 2
uri, dns = [name.native for name in leaf.subject_alt_name_value]
late = leaf.not_valid_after + datetime.timedelta(hours=1)
for wrong in [(others, 'digital_signature', 'client_auth'), (roots, 'key_cert_sign', 'client_auth'),
              (roots, 'digital_signature', 'code_signing'), (roots, 'digital_signature', 'client_auth', late)]:
    try:
        judged(*wrong[:3], **{'moment': moment for moment in wrong[3:]})
    except (PathBuildingError, ValidationError):
        continue
    raise AssertionError(wrong)
print(uri, dns)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn other_peoples_validators_believe_a_certificate_and_find_one_identity_and_one_replica_in_it() {
    let plane = Plane::start("24h").await;
    let token = plane.token(&[]).await;
    for (name, algorithm) in [("p256", P256), ("ed25519", &["ED25519"])] {
        let (csr, _) = plane.request(name, algorithm, "").await;

        let (code, given) = plane.ask(&csr, "shop/cart-1", &token.token).await;

        assert_eq!(code, 200, "{given}");
        assert_eq!(
            (given["identity"].as_str(), given["trustDomain"].as_str()),
            (Some(IDENTITY), Some("bank.example"))
        );
        let leaf = plane.file("leaf.pem", given["certificate"].as_str().expect("PEM"));
        let roots = plane.file("roots.pem", given["bundle"].as_str().expect("PEM"));
        for purpose in ["sslclient", "sslserver"] {
            let arguments = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", &roots, &leaf];
            let verified = plane.openssl(&arguments).await;
            assert!(verified.success, "{}{}", verified.stdout, verified.stderr);
        }
        let python = tools::python(&["cryptography"]).await;
        let judged = tools::run(&python, &["-c", JUDGE, &leaf, &roots]).await;
        assert!(judged.success, "{}", judged.stderr);
        assert_eq!(judged.stdout.trim(), format!("{IDENTITY} cart-1.shop.bank.example"));

        let python = tools::python(&["pyhanko_certvalidator"]).await;
        let other = plane.control.folder().join("pki/ca.crt").display().to_string();
        let judged = tools::run(&python, &["-c", VALIDATE, &leaf, &roots, &other]).await;
        assert!(judged.success, "{}", judged.stderr);
        assert_eq!(judged.stdout.trim(), format!("{IDENTITY} cart-1.shop.bank.example"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_in_use_is_the_proof_for_the_next_one_and_for_no_other_workload() {
    let plane = Plane::start("24h").await;
    let token = plane.token(&["--once"]).await;
    let (csr, key) = plane.request("first", P256, "").await;
    let (code, given) = plane.ask(&csr, "shop/cart-1", &token.token).await;
    assert_eq!(code, 200, "{given}");
    let chain = plane.file("chain.pem", given["certificate"].as_str().expect("PEM"));
    let shown = ["--cert", &chain, "--key", &key];
    let (next, _) = plane.request("next", P256, "").await;

    let (code, renewed) =
        plane.post(CERTIFICATES, &json!({ "csr": next, "workload": "shop/cart-1" }), &shown).await;
    assert_eq!((code, renewed["identity"].as_str()), (200, Some(IDENTITY)), "{renewed}");

    let other = json!({ "csr": next, "workload": "shop/cart-2" });
    let (code, refused) = plane.post(CERTIFICATES, &other, &shown).await;
    assert_eq!(code, 403, "{refused}");
    assert!(refused["message"].as_str().expect("words").contains("renews no other"), "{refused}");

    // The same certificate is a user of the API, which may ask who it is, keep its own Workload, and do nothing else.
    let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let content = [&shown[..], &["-H", "Content-Type: application/json"]].concat();
    let (code, myself) = plane.post(path, &review, &content).await;
    assert_eq!(code, 201, "{myself}");
    let user = &myself["status"]["userInfo"];
    assert_eq!(user["username"], IDENTITY);
    for group in ["selvedge:mesh:default", "selvedge:workload:shop/cart-1"] {
        assert!(user["groups"].as_array().expect("groups").contains(&group.into()), "{user}");
    }
    let (code, _) = plane
        .post("/apis/access.selvedge.dev/v1alpha1/namespaces/shop/jointokens", &json!({}), &content)
        .await;
    assert_eq!(code, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_key_of_an_authority_nor_a_token_is_shown_to_anybody() {
    let plane = Plane::start("24h").await;
    let token = plane.token(&[]).await;

    let secrets = plane.run(&["get", "secrets", "-A", "-o", "json"]).await.stdout;
    let tokens = plane.run(&["get", "jointokens", "-A", "-o", "json"]).await.stdout;
    let folder = plane.control.folder().to_owned();

    assert!(secrets.contains("mesh-authority-default"), "{secrets}");
    let read: serde_json::Value = serde_json::from_str(&secrets).expect("JSON");
    let sealed = read["items"][0]["data"]["sealed"].as_str().expect("a value");
    let decoded = tools::run_with_input(&tools::program("base64"), &["-d"], sealed.as_bytes()).await.stdout;
    assert!(decoded.starts_with("sealed:1:") && !decoded.contains("PRIVATE"), "{decoded}");
    assert!(!tokens.contains(&*token.token));
    for file in std::fs::read_dir(folder).expect("a folder").flatten().filter(|file| file.path().is_file()) {
        let bytes = std::fs::read(file.path()).expect("a file");
        let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!has(&token.token) && !has("PRIVATE KEY"), "{}", file.path().display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_control_plane_trusts_cannot_be_written_by_hand() {
    let plane = Plane::start("24h").await;
    let bundle = json!({
        "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "TrustBundle", "metadata": { "name": "default" },
        "spec": { "trustDomain": "bank.example", "roots": ["nobody"] },
    });
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "mesh.selvedge.dev/authority",
        "metadata": { "name": "mesh-authority-default", "namespace": "selvedge-system" }, "data": { "sealed": "eA==" },
    });
    for object in [bundle, secret] {
        let file = plane.file("object.json", &object.to_string());
        let applied = plane.run(&["apply", "--force", "-f", &file]).await;
        assert!(!applied.success && applied.stderr.contains("is forbidden"), "{}", applied.stderr);
    }
    let deleted = plane.run(&["delete", "trustbundle", "default"]).await;
    assert!(!deleted.success && deleted.stderr.contains("is forbidden"), "{}", deleted.stderr);
    let deleted = plane.run(&["delete", "secret", "mesh-authority-default", "-n", "selvedge-system"]).await;
    assert!(!deleted.success && deleted.stderr.contains("is forbidden"), "{}", deleted.stderr);
}
