package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
)

// What a gateway checks and a bot need not: public keys that are registered, and request tokens.
const (
	clockAhead  = 60
	longestLife = 90 * 24 * 60 * 60
)

// The curve of Ed25519 (RFC 8032, section 5.1).
var (
	one   = big.NewInt(1)
	prime = new(big.Int).Sub(new(big.Int).Lsh(one, 255), big.NewInt(19))
	order = number("7237005577332262213973186563042994240857116359379907606001950938285454250989")
	d     = number("37095705934669439343138083508754565189542113879843219016388785533085940283555")
)

// point is one of the curve, in affine coordinates.
type point struct{ x, y *big.Int }

// checkPublicKey takes the one encoding of a point of prime order, and nothing else. It does not run
// in constant time, which a public key does not need.
func checkPublicKey(data []byte) error {
	encoded := reversed(data)
	isOdd := encoded[0]>>7 == 1
	encoded[0] &= 0x7f
	y := new(big.Int).SetBytes(encoded)
	if y.Cmp(prime) >= 0 {
		return errors.New("the key is not in its canonical encoding")
	}
	x := squareRoot(quotient(minus(times(y, y), one), plus(times(d, times(y, y)), one)))
	if x == nil {
		return errors.New("the key is no point of the curve")
	}
	if x.Sign() == 0 && isOdd {
		return errors.New("the key is not in its canonical encoding")
	}
	key := point{x, y}
	if key.isNeutral() || !multiply(order, key).isNeutral() {
		return errors.New("the key has small or mixed order")
	}
	return nil
}

// squareRoot gives one of both roots; whether it is the right one does not matter to an order.
func squareRoot(square *big.Int) *big.Int {
	return new(big.Int).ModSqrt(square, prime)
}

func multiply(scalar *big.Int, base point) point {
	result := point{new(big.Int), one}
	for bit := scalar.BitLen() - 1; bit >= 0; bit-- {
		result = add(result, result)
		if scalar.Bit(bit) == 1 {
			result = add(result, base)
		}
	}
	return result
}

func add(p, q point) point {
	product := times(d, times(times(p.x, q.x), times(p.y, q.y)))
	return point{
		quotient(plus(times(p.x, q.y), times(q.x, p.y)), plus(one, product)),
		quotient(plus(times(p.y, q.y), times(p.x, q.x)), minus(one, product)),
	}
}

func (p point) isNeutral() bool {
	return p.x.Sign() == 0 && p.y.Cmp(one) == 0
}

func plus(a, b *big.Int) *big.Int {
	sum := new(big.Int).Add(a, b)
	return sum.Mod(sum, prime)
}

func minus(a, b *big.Int) *big.Int {
	difference := new(big.Int).Sub(a, b)
	return difference.Mod(difference, prime)
}

func times(a, b *big.Int) *big.Int {
	product := new(big.Int).Mul(a, b)
	return product.Mod(product, prime)
}

func quotient(a, b *big.Int) *big.Int {
	return times(a, new(big.Int).ModInverse(b, prime))
}

func number(digits string) *big.Int {
	number, _ := new(big.Int).SetString(digits, 10)
	return number
}

func reversed(data []byte) []byte {
	turned := make([]byte, len(data))
	for at, one := range data {
		turned[len(data)-1-at] = one
	}
	return turned
}

// acceptToken gives the claims of a token that is good for the request with this digest.
func acceptToken(token string, public ed25519.PublicKey, digest string, now int64) (Claims, error) {
	var claims Claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims, errors.New("the token is not three parts")
	}
	var decoded [3][]byte
	for at, part := range parts {
		var err error
		// One form alone (RFC 7515).
		if decoded[at], err = decodeStrictly(base64.RawURLEncoding, part); err != nil {
			return claims, err
		}
	}
	if err := checkHeader(decoded[0]); err != nil {
		return claims, err
	}
	if err := readClaims(decoded[1], &claims); err != nil {
		return claims, err
	}
	message := []byte(parts[0] + "." + parts[1])
	if !ed25519.Verify(public, message, decoded[2]) {
		return claims, errors.New("the token's signature does not match")
	}
	life := claims.Expires - claims.Issued
	if claims.Expires <= now || claims.Issued > now+clockAhead || life > longestLife {
		return claims, errors.New("it is not the token's time, or that is too long")
	}
	if claims.Digest != digest {
		return claims, errors.New("the token was made for another request")
	}
	return claims, nil
}

func checkHeader(data []byte) error {
	var header struct {
		Algorithm string          `json:"alg"`
		Critical  json.RawMessage `json:"crit"`
	}
	if err := json.Unmarshal(data, &header); err != nil {
		return err
	}
	if header.Algorithm != "EdDSA" || header.Critical != nil {
		return errors.New("the token's algorithm is not EdDSA, or it demands extensions")
	}
	return nil
}

// readClaims insists on all claims; Go's own decoder leaves out what is not there.
func readClaims(data []byte, claims *Claims) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	for _, member := range []string{"uid", "sid", "iat", "exp", "sig"} {
		if members[member] == nil {
			return errors.New("the token has not all claims")
		}
	}
	return json.Unmarshal(data, claims)
}
