// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package privacy

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// class is the kind of the value of a key.
type class uint8

const (
	otherKey    class = iota // nothing: the value decides
	personalKey              // all of it is personal
	leafKey                  // text is personal, an object by its keys
	countingKey              // an id, a time, a size: many digits are no telephone number
	wordKey                  // a kind, a state: capitals are no name
)

// Bounds of the cache of the classes of keys.
const (
	maxKeys = 1024
	maxKey  = 64
)

// keys knows the classes of keys.
type keys struct {
	users bool
	known map[string]keyFacts
}

// keyFacts are what is known of a key.
type keyFacts struct {
	class     class
	revealing bool // the key itself may be personal
	name      bool // it looks like a name
}

func (k *keys) facts(key []byte) keyFacts {
	if one, known := k.known[string(key)]; known {
		return one
	}
	one := keyFacts{class: classOf(string(key), k.users), revealing: revealing(key, otherKey), name: shapeOf(key) != otherShape}
	if len(key) <= maxKey && len(k.known) < maxKeys {
		if k.known == nil {
			k.known = map[string]keyFacts{}
		}
		k.known[string(key)] = one
	}
	return one
}

// within are parts of keys of content, names, addresses, telephones, mail and secrets.
func within() []string {
	return []string{
		"name", "address", "phone", "mobile", "mail", "text", "content", "subject", "snippet", "transcript", "comment", "remark",
		"notes", "description", "summary", "preview", "caption", "birth", "passport", "iban", "creditcard", "cardnumber", "postal", "postcode",
		"zipcode", "street", "avatar", "photo", "picture", "image", "attribute", "customfield", "customdata", "payload", "metadata", "variables",
		"fallback", "answer", "question", "utterance", "nick", "externalplatform", "callerid", "latitude", "longitude", "geo", "useragent",
		"signature", "token", "secret", "password", "authorization", "credential",
	}
}

// exact are keys of the same kind that are compared completely, since harmless keys
// contain them.
func exact() []string {
	return []string{
		"ani", "dnis", "tel", "fax", "cell", "title", "ssn", "taxid", "zip", "city", "county", "country", "card", "pan", "cvv", "cvc", "dob", "age",
		"gender", "note", "quote", "alias", "login", "uri", "link", "location", "ip", "custom", "query", "jwt", "email", "msisdn",
	}
}

// leaves are keys of text, but of objects as well that hold more than that.
func leaves() []string {
	return []string{
		"message", "messages", "body", "from", "to", "cc", "bcc", "sender", "recipient", "customer", "consumer", "contact", "caller", "callee",
		"party", "self", "other", "peer", "agent", "author", "person", "value", "values",
	}
}

// harmless are keys that have such a part and are not personal.
func harmless() []string {
	return []string{"topicname", "eventname", "namespace", "context", "contenttype", "messagecontenttype", "addresstype", "texttype"}
}

// counting are the last words of keys of ids, times and sizes.
func counting() []string {
	return []string{
		"id", "ids", "uuid", "guid", "sid", "time", "timestamp", "ts", "date", "at", "ms", "millis", "milliseconds", "seconds", "size", "bytes", "count",
		"length", "duration", "version", "code", "sequence", "seq", "offset", "created", "updated", "started", "ended", "start", "end", "expires", "expiry",
	}
}

// words are the last words of keys of what a platform calls its states and kinds.
func words() []string {
	return []string{
		"type", "types", "state", "status", "direction", "role", "purpose", "kind", "event", "action", "topic", "medium", "media", "mode", "reason", "cause",
		"result", "outcome", "level", "priority", "severity", "protocol", "provider", "platform", "visibility", "format", "encoding", "timezone", "locale",
		"language", "currency", "region", "stage", "phase", "method", "operation", "command", "scope",
	}
}

// sizes are those of counting that make a size of any word before them.
func sizes() []string { return []string{"size", "bytes", "length", "count"} }

// lastWord is that of a key in camel case, snake case or with hyphens.
func lastWord(key string) string {
	begin := 0
	for i := 1; i < len(key); i++ {
		switch c := key[i-1]; {
		case c == '_' || c == '-' || c == '.':
			begin = i
		case key[i] >= 'A' && key[i] <= 'Z' && (c < 'A' || c > 'Z'):
			begin = i
		}
	}
	return strings.ToLower(key[begin:])
}

func classOf(key string, users bool) class {
	last := lastWord(key)
	key = strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r | 0x20
		case r >= 'a' && r <= 'z', r >= utf8.RuneSelf:
			return r
		}
		return -1
	}, key)
	has := func(part string) bool { return strings.Contains(key, part) }
	switch {
	case users && has("user"), has("externalplatform"):
		return personalKey
	case slices.Contains(harmless(), key):
		return wordKey
	case slices.Contains(sizes(), last):
		return countingKey // contentLengthBytes, payload_size
	case slices.Contains(exact(), key), strings.HasSuffix(key, "url"), strings.HasSuffix(key, "number"), slices.ContainsFunc(within(), has):
		return personalKey
	case slices.Contains(leaves(), key):
		return leafKey
	case slices.Contains(counting(), last):
		return countingKey
	case slices.Contains(words(), last):
		return wordKey
	}
	return otherKey
}

// maxWord is the longest text that can be a platform's word.
const maxWord = 128

// personal reports whether a text may be personal, whatever its key.
func personal(text []byte, key class) bool {
	as := shapeOf(text)
	return as == nameShape || as == capitalsShape && key != wordKey || revealing(text, key)
}

// revealing reports whether a text is prose, not ASCII, a mail address, JSON, or has the
// number of a telephone or a card.
func revealing(text []byte, key class) bool {
	if len(text) > maxWord {
		return true
	}
	letters, blanks, run, longest := 0, 0, 0, 0
	international := false
	for _, c := range text {
		digit := c >= '0' && c <= '9'
		switch {
		case c == '@' || c == '{' || c == '[' || c >= utf8.RuneSelf || c < ' ':
			return true
		case c == ' ':
			blanks++
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			letters++
		}
		switch {
		case digit:
			run++
			longest = max(longest, run)
			if international && run >= 7 {
				return true
			}
		case c == '+':
			international, run = true, 0
		default:
			international, run = false, 0
		}
	}
	switch {
	case blanks > 0:
		return !isTime(text)
	case key == countingKey || isTime(text):
		return false
	case letters == 0:
		return manyDigits(text, key)
	}
	return longest >= 13 && !isUUID(text)
}

// shape is how the words of a text are written.
type shape uint8

const (
	otherShape    shape = iota // like MessageCreated, queued, e2
	nameShape                  // with a capital, as names are: Smith, O'Hara-SMITH
	capitalsShape              // all in capitals, as names can be, and a platform's words: SMITH, TEXT
)

func shapeOf(text []byte) shape {
	as := otherShape
	for i := 0; i < len(text); {
		if isDigit(text[i]) {
			return otherShape
		}
		begin, capitals := i, 0
		for ; i < len(text) && text[i]|0x20 >= 'a' && text[i]|0x20 <= 'z'; i++ {
			if text[i] <= 'Z' {
				capitals++
			}
		}
		switch letters := i - begin; {
		case letters == 0:
			i++
		case letters == capitals && letters > 1:
			if as == otherShape {
				as = capitalsShape
			}
		case letters == capitals: // an initial
		case capitals == 1 && text[begin] <= 'Z':
			as = nameShape
		default:
			return otherShape
		}
	}
	return as
}

// manyDigits reports whether a number may be that of a telephone or a card.
func manyDigits(text []byte, key class) bool {
	const enough = 7
	if key == countingKey {
		return false
	}
	n := 0
	for _, c := range text {
		if c >= '0' && c <= '9' {
			n++
		}
	}
	return n >= enough
}

// isTime reports whether a text is a date of ISO 8601, alone or with a time of day.
func isTime(text []byte) bool {
	rest, ok := shaped(text, "0000-00-00")
	if !ok || len(rest) == 0 {
		return ok
	}
	if !strings.ContainsRune("tT ", rune(rest[0])) {
		return false
	}
	if rest, ok = shaped(rest[1:], "00:00"); !ok {
		return false
	}
	if after, ok := shaped(rest, ":00"); ok {
		rest = after
	}
	if len(rest) > 0 && (rest[0] == '.' || rest[0] == ',') {
		digits := 1
		for digits < len(rest) && digits <= 9 && isDigit(rest[digits]) {
			digits++
		}
		rest = rest[digits:]
	}
	for _, zone := range []string{"Z", "z", "+00:00", "-00:00", "+0000", "-0000", "+00", "-00", ""} {
		if after, ok := shaped(rest, zone); ok && len(after) == 0 {
			return true
		}
	}
	return false
}

// shaped cuts what has a shape from the beginning of a text: a 0 matches any digit.
func shaped(text []byte, shape string) (rest []byte, ok bool) {
	if len(text) < len(shape) {
		return text, false
	}
	for i := range len(shape) {
		if shape[i] == '0' && !isDigit(text[i]) || shape[i] != '0' && shape[i] != text[i] {
			return text, false
		}
	}
	return text[len(shape):], true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// maxPlain is the maximum number of digits of a number that is not personal.
const maxPlain = 6

// isPlainNumber reports whether a text is a number of a few digits and nothing else.
func isPlainNumber(text []byte) bool {
	return len(text) > 0 && len(text) <= maxPlain && !slices.ContainsFunc(text, func(c byte) bool { return !isDigit(c) })
}

// Bounds of times. No number of a card that is read as an epoch is between the two:
// those of 16 digits would have to begin with a number below 2209.
const (
	maxTime  = 40                                   // bytes
	maxEpoch = 24                                   // bytes
	earliest = int64(946_684_800) * 1_000_000_000   // 2000-01-01, in ns
	latest   = int64(2_208_988_800) * 1_000_000_000 // 2040-01-01
)

// isEpoch reports whether a text that is a time is a number.
func isEpoch(text []byte) bool {
	return len(text) <= maxEpoch && !slices.ContainsFunc(text, func(c byte) bool { return !isDigit(c) && c != '.' })
}

// isDateTime reports whether a text that is a time is a date with a time of day, without
// more digits in a row than either has.
func isDateTime(text []byte) bool {
	const most = 9
	if len(text) > maxTime {
		return false
	}
	run := 0
	for _, c := range text {
		if run++; !isDigit(c) {
			run = 0
		}
		if run > most {
			return false
		}
	}
	return bytes.ContainsAny(text, "-Tt")
}

// isUUID reports whether a text has the shape of a UUID.
func isUUID(text []byte) bool {
	const shape = "00000000-0000-0000-0000-000000000000"
	if len(text) != len(shape) {
		return false
	}
	for i, c := range text {
		hex := c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
		if shape[i] == '-' && c != '-' || shape[i] == '0' && !hex {
			return false
		}
	}
	return true
}
