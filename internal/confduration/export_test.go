// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package confduration

import (
	"reflect"
	"slices"
	"strings"
)

// Keys are the paths of all keys that a configuration decodes into a time.Duration.
// An item of a list is the path element 0, a value of a map the element *.
func Keys(config any) []string {
	var keys []string
	collect(reflect.TypeOf(config), nil, map[reflect.Type]bool{}, &keys)
	return keys
}

func collect(t reflect.Type, path []string, above map[reflect.Type]bool, keys *[]string) {
	t = indirect(t)
	if t == durationType {
		*keys = append(*keys, strings.Join(path, "::"))
		return
	}
	under := func(element string) []string { return append(slices.Clip(path), element) }
	switch t.Kind() {
	case reflect.Struct:
		if above[t] {
			return // a type within itself
		}
		above[t] = true
		for f := range fields(t) {
			if !f.remain {
				collect(f.into, under(f.name), above, keys)
			}
		}
		delete(above, t)
	case reflect.Map:
		collect(t.Elem(), under("*"), above, keys)
	case reflect.Slice, reflect.Array:
		collect(t.Elem(), under("0"), above, keys)
	}
}
