// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package stream returns the stream of a message. It reads the resources' attributes from
// OTLP's encoding and skips all the rest, so that a message need not be decoded.
package stream

import (
	"bytes"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Numbers of the fields, as opentelemetry-proto has them.
const (
	resourceLogs = 1 // of LogsData
	resource     = 1 // of ResourceLogs
	attribute    = 1 // of Resource
	attributeKey = 1 // of KeyValue
	keyedValue   = 2 // of KeyValue
	stringValue  = 1 // of AnyValue
)

var errNotOTLP = errors.New("is not OTLP in protobuf")

// Key returns the key of the stream that all resources of a message belong to.
func Key(message []byte) ([]byte, error) {
	var key []byte
	err := each(message, resourceLogs, func(logs []byte) error {
		var tenant, region name
		err := each(logs, resource, func(resource []byte) error {
			return each(resource, attribute, func(pair []byte) error { return note(pair, &tenant, &region) })
		})
		if err != nil {
			return err
		}
		next := wsevent.StreamKey(tenant.orUnknown(), region.orUnknown())
		if key != nil && !bytes.Equal(key, next) {
			return fmt.Errorf("holds the streams %q and %q, which may belong to different partitions", key, next)
		}
		key = next
		return nil
	})
	if err == nil && key == nil {
		err = errors.New("holds no resource")
	}
	return key, err
}

// name is the value of an attribute; the first of its key counts.
type name struct {
	text  string
	found bool
}

func (n *name) orUnknown() string {
	if n.text == "" {
		return wsevent.Unknown
	}
	return n.text
}

// note records a pair of key and value, if it is a dimension.
func note(pair []byte, tenant, region *name) error {
	var key []byte
	if err := each(pair, attributeKey, func(text []byte) error { key = text; return nil }); err != nil {
		return err
	}
	into := tenant
	switch string(key) {
	case wsevent.TenantID:
	case wsevent.Region:
		into = region
	default:
		return nil
	}
	if into.found {
		return nil
	}
	into.found = true
	return each(pair, keyedValue, func(value []byte) error {
		return each(value, stringValue, func(text []byte) error { into.text = string(text); return nil })
	})
}

// each calls use with every field of a number that holds bytes.
func each(message []byte, number protowire.Number, use func([]byte) error) error {
	for len(message) > 0 {
		found, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return errNotOTLP
		}
		message = message[size:]
		if found == number && kind == protowire.BytesType {
			content, size := protowire.ConsumeBytes(message)
			if size < 0 {
				return errNotOTLP
			}
			if err := use(content); err != nil {
				return err
			}
			message = message[size:]
			continue
		}
		if size = protowire.ConsumeFieldValue(found, kind, message); size < 0 {
			return errNotOTLP
		}
		message = message[size:]
	}
	return nil
}
