// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

const (
	// unmatchedWarning is the time from the first frame to the warning that there was no
	// event.
	unmatchedWarning = 30 * time.Second
	// maxUnmatchedFrame bounds the copy of the first frame, in bytes.
	maxUnmatchedFrame = 64 << 10
	// maxKeys, maxKeyDepth and maxKeyLength bound the keys of a frame in the log.
	maxKeys, maxKeyDepth, maxKeyLength = 60, 5, 64
)

// unmatched counts the frames of a connection up to its first event. It belongs to
// the owner of the batch.
type unmatched struct {
	matched bool      // there was an event
	since   time.Time // arrival of the first frame; zero: there was none
	frames  int64
	first   []byte // frame
	warned  bool
}

// add counts a frame before the first event.
func (u *unmatched) add(text []byte, at time.Time) {
	if u.since.IsZero() {
		u.since, u.first = at, bytes.Clone(text[:min(len(text), maxUnmatchedFrame)])
	}
	u.frames++
}

// due reports whether to warn, once.
func (u *unmatched) due(now time.Time) bool {
	if u.matched || u.warned || u.since.IsZero() || now.Sub(u.since) < unmatchedWarning {
		return false
	}
	u.warned = true
	return true
}

// warnUnmatched logs that no frame has an event, with the keys of the first and without
// its values.
func (c *connection) warnUnmatched(now time.Time, soFar *unmatched) {
	c.logger.Warn("Frames arrive, but none of them has an event; compare types and fields with the keys of the first frame",
		zap.Int64("frames", soFar.frames), zap.Duration("for", now.Sub(soFar.since)), zap.Strings("keys", keysOf(soFar.first)))
}

// keysOf returns the paths of a frame's values in the notation of fields, sorted; none
// for a frame that is not JSON.
func keysOf(text []byte) []string {
	var value any
	if json.NewDecoder(bytes.NewReader(text)).Decode(&value) != nil {
		return nil
	}
	if list, isList := value.([]any); isList && len(list) > 0 {
		value = list[0] // each is an event
	}
	keys := map[string]bool{}
	collectKeys(value, "", 0, keys)
	sorted := slices.Sorted(maps.Keys(keys))
	if len(sorted) > maxKeys {
		sorted = append(sorted[:maxKeys:maxKeys], fmt.Sprintf("… and %d more", len(sorted)-maxKeys))
	}
	return sorted
}

func collectKeys(value any, path string, depth int, into map[string]bool) {
	switch of := value.(type) {
	case map[string]any:
		if depth < maxKeyDepth {
			for key, inner := range of {
				collectKeys(inner, strings.TrimPrefix(path+"."+keyName(key), "."), depth+1, into)
			}
			return
		}
	case []any:
		if depth < maxKeyDepth && len(of) > 0 {
			collectKeys(of[0], path+"[0]", depth+1, into)
			return
		}
	}
	if path != "" {
		into[path] = true
	}
}

// keyName returns a key for the log. A key that is not an identifier may be personal data,
// such as a phone number or an address, and is redacted.
func keyName(key string) string {
	if len(key) > maxKeyLength || key == "" || strings.ContainsFunc(key, notName) || strings.Trim(key, "0123456789-_") == "" {
		return "[redacted]"
	}
	return key
}

func notName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '$'
}
