// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package payload

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/spelling"
)

// checkFields returns an error for each field of the message that a template names
// and that does not exist. Go's template package reports those at execution only,
// and only where the branch is taken.
func checkFields(t *template.Template) error {
	c := fieldChecker{known: viewFields(), keys: map[string]bool{}}
	for _, one := range t.Templates() {
		if one.Tree != nil {
			// The dot of a template of its own is whatever it is called with.
			c.node(one.Root, one.Name() == t.Name())
		}
	}
	return errors.Join(c.errs...)
}

// BodyKeys returns the keys that the template names directly below .Body, in order:
// of .Body.labels.queue, labels.
func (t *Template) BodyKeys() []string {
	c := fieldChecker{known: viewFields(), keys: map[string]bool{}}
	for _, one := range t.template.Templates() {
		if one.Tree != nil {
			c.node(one.Root, one.Name() == t.template.Name())
		}
	}
	return slices.Sorted(maps.Keys(c.keys))
}

// viewFields are the names that a template finds in its message.
func viewFields() []string {
	var names []string
	t := reflect.TypeFor[view]()
	for _, field := range reflect.VisibleFields(t) {
		if field.IsExported() && !field.Anonymous {
			names = append(names, field.Name)
		}
	}
	for method := range t.Methods() {
		names = append(names, method.Name)
	}
	slices.Sort(names)
	return names
}

type fieldChecker struct {
	known []string
	errs  []error
	keys  map[string]bool // of the body
}

// node checks a node; atTop says that the dot is the message.
func (c *fieldChecker) node(node parse.Node, atTop bool) {
	switch n := node.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, one := range n.Nodes {
				c.node(one, atTop)
			}
		}
	case *parse.ActionNode:
		c.pipe(n.Pipe, atTop)
	case *parse.TemplateNode:
		c.pipe(n.Pipe, atTop)
	case *parse.IfNode:
		c.branch(&n.BranchNode, atTop, atTop)
	case *parse.WithNode:
		c.branch(&n.BranchNode, atTop, false)
	case *parse.RangeNode:
		c.branch(&n.BranchNode, atTop, false)
	case *parse.PipeNode:
		c.pipe(n, atTop)
	case *parse.ChainNode:
		c.node(n.Node, atTop)
	case *parse.FieldNode:
		if atTop {
			c.path(n.Ident)
		}
	case *parse.VariableNode:
		if len(n.Ident) > 1 && n.Ident[0] == "$" {
			c.path(n.Ident[1:])
		}
	}
}

func (c *fieldChecker) branch(n *parse.BranchNode, atTop, within bool) {
	c.pipe(n.Pipe, atTop)
	c.node(n.List, within)
	if n.ElseList != nil {
		c.node(n.ElseList, atTop)
	}
}

func (c *fieldChecker) pipe(n *parse.PipeNode, atTop bool) {
	if n == nil {
		return
	}
	for _, command := range n.Cmds {
		for _, argument := range command.Args {
			c.node(argument, atTop)
		}
	}
}

// path checks a field of the message, and what is below it.
func (c *fieldChecker) path(path []string) {
	name := path[0]
	if name == "Body" && len(path) > 1 {
		c.keys[path[1]] = true
	}
	if slices.Contains(c.known, name) {
		return
	}
	if known, near := spelling.Nearest(name, c.known); near {
		c.errs = append(c.errs, fmt.Errorf(".%s: no such field; did you mean .%s?", name, known))
		return
	}
	c.errs = append(c.errs, fmt.Errorf(".%s: no such field; the fields are .%s (keys of an alert's body are below .Body, as .Body.tenant_id)",
		name, strings.Join(c.known, ", .")))
}
