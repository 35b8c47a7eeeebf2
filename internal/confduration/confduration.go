// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package confduration refuses durations without a unit in a configuration.
//
// The Collector decodes a bare number into a time.Duration of as many nanoseconds:
// interval: 15 becomes 15 ns. Each component of this module decodes its
// configuration through Unmarshal, which follows the types of the configuration,
// the Collector's own sections included. UnknownKeys follows the same types to name
// the keys that a configuration does not have.
package confduration

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
)

// Unmarshal checks conf with Check and then decodes it into config, a pointer to a
// struct. It is the body of a component's Unmarshal method.
func Unmarshal(conf *confmap.Conf, config any) error {
	if err := Check(conf.ToStringMap(), config); err != nil {
		return err
	}
	return conf.Unmarshal(config)
}

// Check returns an error for each key of raw that config decodes into a
// time.Duration and whose value is not one: a number without a unit, which decodes
// into nanoseconds, or a text that time.ParseDuration refuses. Zero needs no unit.
// The error names the path of the key in confmap's form, a::b::c.
func Check(raw map[string]any, config any) error {
	c := checker{}
	c.walk(nil, raw, reflect.TypeOf(config))
	return errors.Join(c.errs...)
}

// UnknownKey is a key that a configuration does not have.
type UnknownKey struct {
	Path  string   // in confmap's form, a::b::c
	Name  string   // the last part of Path
	Known []string // the keys that its section has
}

// UnknownKeys are the keys of raw that config, a pointer to a struct, does not decode.
// A section whose type decodes keys by code of its own may have more keys than its
// fields say, so a key of the result is an error only where confmap has refused one.
func UnknownKeys(raw map[string]any, config any) []UnknownKey {
	c := checker{findUnknown: true}
	c.walk(nil, raw, reflect.TypeOf(config))
	return c.unknown
}

// Reference is a value that is the ID of another component.
type Reference struct {
	Path string // in confmap's form, a::b::c
	ID   string
}

// References are the values of raw that config, a pointer to a struct, decodes into a
// component.ID: storage, authenticator, encoding and the like.
func References(raw map[string]any, config any) []Reference {
	c := checker{}
	c.walk(nil, raw, reflect.TypeOf(config))
	return c.references
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	idType       = reflect.TypeFor[component.ID]()
)

// checker collects the errors of one configuration.
type checker struct {
	errs        []error
	findUnknown bool
	unknown     []UnknownKey
	references  []Reference
}

// walk follows the values of a configuration along the types that they decode into.
func (c *checker) walk(path []string, value any, into reflect.Type) {
	if value == nil || into == nil {
		return
	}
	into = indirect(into)
	if into == durationType {
		if err := checkValue(value); err != nil {
			c.errs = append(c.errs, fmt.Errorf("%s: %w", strings.Join(path, confmap.KeyDelimiter), err))
		}
		return
	}
	if into == idType {
		if id, ok := value.(string); ok {
			c.references = append(c.references, Reference{Path: strings.Join(path, confmap.KeyDelimiter), ID: id})
		}
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		if section, ok := value.(map[string]any); ok {
			for _, key := range slices.Sorted(maps.Keys(section)) {
				here := append(slices.Clip(path), key)
				field := fieldOf(into, key)
				if field == nil {
					c.noteUnknown(here, into)
				}
				c.walk(here, section[key], field)
			}
		}
	case reflect.Map:
		if section, ok := value.(map[string]any); ok {
			for _, key := range slices.Sorted(maps.Keys(section)) {
				c.walk(append(slices.Clip(path), key), section[key], into.Elem())
			}
		}
	case reflect.Slice, reflect.Array:
		items, ok := value.([]any)
		if !ok {
			items = []any{value} // confmap decodes a single value into a list of one
		}
		for i, item := range items {
			c.walk(append(slices.Clip(path), strconv.Itoa(i)), item, into.Elem())
		}
	}
}

// noteUnknown keeps a key that has no field. Every configoptional.Optional has enabled.
func (c *checker) noteUnknown(path []string, section reflect.Type) {
	name := path[len(path)-1]
	if !c.findUnknown || name == "enabled" {
		return
	}
	key := UnknownKey{Path: strings.Join(path, confmap.KeyDelimiter), Name: name}
	for field := range fields(section) {
		if field.remain {
			return
		}
		key.Known = append(key.Known, field.name)
	}
	slices.Sort(key.Known)
	c.unknown = append(c.unknown, key)
}

// checkValue refuses what is not a duration with a unit.
func checkValue(value any) error {
	text, isText := value.(string)
	if !isText {
		text = number(value)
		if text == "" {
			return nil // no scalar, or a truth value: the decoder names the type
		}
	}
	trimmed := strings.TrimSpace(text)
	if n, err := strconv.ParseFloat(trimmed, 64); err == nil && !math.IsNaN(n) && !math.IsInf(n, 0) {
		if n == 0 && trimmed == text {
			return nil
		}
		return fmt.Errorf("%s: has no unit; write %ss for seconds (units: ns, us, ms, s, m, h)", quote(value), strings.TrimLeft(trimmed, "+-"))
	}
	if !isText {
		return nil
	}
	if _, err := time.ParseDuration(text); err == nil || text == "" {
		return nil
	}
	if days, found := strings.CutSuffix(trimmed, "d"); found {
		if n, err := strconv.ParseFloat(days, 64); err == nil {
			return fmt.Errorf("%s: is not a duration; write %sh (units: ns, us, ms, s, m, h)", quote(value), strconv.FormatFloat(24*n, 'f', -1, 64))
		}
	}
	return fmt.Errorf("%s: is not a duration; write one as 15s, 500ms or 1h30m", quote(value))
}

// number is a number as text, empty for what is none.
func number(value any) string {
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if v.Type() == durationType {
			return "" // set by code, not read from YAML
		}
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10)
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	case reflect.String: // json.Number
		if n, ok := value.(json.Number); ok {
			return n.String()
		}
	}
	return ""
}

func quote(value any) string {
	if text, ok := value.(string); ok {
		return strconv.Quote(text)
	}
	return number(value)
}

// indirect removes pointers and configoptional.Optional, whose value decodes in its place.
func indirect(t reflect.Type) reflect.Type {
	for {
		switch inner, optional := optionalOf(t); {
		case optional:
			t = inner
		case t.Kind() == reflect.Pointer:
			t = t.Elem()
		default:
			return t
		}
	}
}

// optionalOf is the type of the value of a configoptional.Optional.
func optionalOf(t reflect.Type) (reflect.Type, bool) {
	if t.Kind() != reflect.Struct || t.PkgPath() != "go.opentelemetry.io/collector/config/configoptional" {
		return nil, false
	}
	get, ok := reflect.PointerTo(t).MethodByName("Get")
	if !ok || get.Type.NumOut() != 1 {
		return nil, false
	}
	return get.Type.Out(0).Elem(), true
}

// fieldOf is the type that a key of a section decodes into, nil where there is none.
func fieldOf(section reflect.Type, key string) reflect.Type {
	var rest reflect.Type
	for field := range fields(section) {
		switch {
		case field.name == key:
			return field.into
		case field.remain && indirect(field.into).Kind() == reflect.Map:
			rest = indirect(field.into).Elem()
		}
	}
	return rest
}

// field is a key of a section and the type that its value decodes into.
type field struct {
	name   string
	into   reflect.Type
	remain bool // takes all keys that have no field of their own
}

// fields are the keys of a struct by its mapstructure tags, those of squashed structs
// included.
func fields(section reflect.Type) iter.Seq[field] {
	return func(yield func(field) bool) { eachField(section, yield) }
}

func eachField(section reflect.Type, yield func(field) bool) bool {
	for f := range section.Fields() {
		if !f.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("mapstructure"), ",")
		flags := strings.Split(options, ",")
		switch {
		case name == "-":
		case slices.Contains(flags, "squash"):
			if into := indirect(f.Type); into.Kind() == reflect.Struct && !eachField(into, yield) {
				return false
			}
		default:
			if name == "" {
				name = f.Name
			}
			if !yield(field{name: name, into: f.Type, remain: slices.Contains(flags, "remain")}) {
				return false
			}
		}
	}
	return true
}
