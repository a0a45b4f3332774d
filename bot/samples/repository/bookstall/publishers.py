"""Publishers' price lists: who signed them."""

from cryptography.hazmat.primitives.serialization import pkcs7


def signers(signature: bytes) -> list:
    """The subjects of all certificates in a detached PKCS #7 signature."""
    certificates = pkcs7.load_der_pkcs7_certificates(signature)
    return [certificate.subject.rfc4514_string() for certificate in certificates]
