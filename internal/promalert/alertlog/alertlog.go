// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package alertlog reads alerts from log records.
package alertlog

import (
	"encoding/json"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Body returns a record's body in Go's types: a map[string]any where it is an object.
// Text that is a JSON object is decoded, since some transports turn an object into text.
func Body(body pcommon.Value) any {
	if body.Type() == pcommon.ValueTypeStr && strings.HasPrefix(body.Str(), "{") {
		var object map[string]any
		if json.Unmarshal([]byte(body.Str()), &object) == nil {
			return object
		}
	}
	return body.AsRaw()
}
