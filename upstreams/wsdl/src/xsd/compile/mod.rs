//! Compiling declarations into the plan. A type that can't be compiled is kept with what is wrong with it, so that
//! operations that don't need it work.

mod attribute;
mod complex;
mod element;
mod particle;
mod simple;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use super::{
    Builtin, Element, Index, Place, Schema, Simple, Source, Type, TypeId,
    model::{Complex, Content, Group},
};
use crate::{
    name::{ENCODING11, ENCODING12, Name, XSD},
    tree::Element as Node,
};

/// Declarations that may be followed in all. Groups that refer to groups twice would double them with every level.
const MOST: usize = 1 << 19;

/// How long a chain of derivations may be.
const DEEPEST: u32 = 64;

/// A declaration with the schema that it stands in.
#[derive(Clone, Copy)]
pub(super) struct At<'i> {
    pub(super) source: &'i Source,
    pub(super) node: Node<'i>,
}

/// A type whose turn to be compiled comes later.
enum Pending<'i> {
    Named(Name, At<'i>),
    Anonymous(At<'i>),
}

/// What goes wrong with one declaration.
type Flaw = Arc<str>;

/// Makes a [`Schema`].
pub(crate) struct Compiler<'i> {
    index: &'i Index,
    schema: Schema,
    /// Where the members of substitution groups stand, by their head.
    substitutes: HashMap<Name, Vec<Name>>,
    builtins: HashMap<&'static str, TypeId>,
    any: Option<TypeId>,
    pending: VecDeque<(TypeId, Pending<'i>)>,
    /// The types that stand in declarations. One that is met again, as by `ref`, is the same type: an element that may
    /// hold itself would have one more with every level otherwise.
    anonymous: HashMap<(*const Source, u32), TypeId>,
    prefixes: HashMap<Arc<str>, usize>,
    /// Declarations that may still be followed.
    left: usize,
}

impl<'i> Compiler<'i> {
    /// Compiles everything that is declared.
    pub(crate) fn new(index: &'i Index) -> Self {
        let mut compiler = Self {
            index,
            schema: Schema::default(),
            substitutes: HashMap::new(),
            builtins: HashMap::new(),
            any: None,
            pending: VecDeque::new(),
            anonymous: HashMap::new(),
            prefixes: HashMap::new(),
            left: MOST,
        };
        compiler.find_substitutes();
        let mut types: Vec<_> = index.types.keys().cloned().collect();
        types.sort_unstable();
        for name in types {
            compiler.named(&name);
        }
        let mut elements: Vec<_> = index.elements.iter().map(|(name, place)| (name.clone(), *place)).collect();
        elements.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        for (name, place) in elements {
            if let Some(at) = compiler.at(place) {
                let element = compiler.global(&name, at);
                compiler.schema.elements.insert(name, element);
            }
        }
        compiler.work();
        compiler
    }

    /// The plan, with the types that stand for others.
    pub(crate) fn finish(mut self) -> Schema {
        self.work();
        self.find_endless();
        self.find_derived();
        self.schema
    }

    /// A global element.
    pub(crate) fn element(&self, name: &Name) -> Option<&Element> {
        self.schema.elements.get(name)
    }

    /// The type of this name; a broken one where there is none.
    pub(crate) fn type_named(&mut self, name: &Name) -> TypeId {
        let id = self.named(name);
        self.work();
        id
    }

    /// A type made up: the wrapper of an rpc message, with its parts in order.
    pub(crate) fn made_up(&mut self, parts: Vec<Element>) -> TypeId {
        let group = particle::sequence_of(parts);
        self.push(Type::Complex(Complex { content: Content::Elements(Box::new(group)), ..Complex::default() }))
    }

    /// A made-up element.
    pub(crate) fn made_up_element(&mut self, name: Name, kind: TypeId) -> Element {
        let tag = self.tag(&name);
        Element { name, tag, kind, nillable: false, is_abstract: false, fixed: None, default: None, note: None }
    }

    /// Counts a declaration that is followed.
    fn follow(&mut self) -> Result<(), Flaw> {
        self.left = self.left.checked_sub(1).ok_or("the schema says too much: its groups multiply")?;
        Ok(())
    }

    fn at(&self, place: Place) -> Option<At<'i>> {
        let source = self.index.source(place)?;
        Some(At { source, node: source.tree.at(place.node) })
    }

    fn push(&mut self, compiled: Type) -> TypeId {
        let id = TypeId(u32::try_from(self.schema.types.len()).unwrap_or(u32::MAX));
        self.schema.types.push(compiled);
        id
    }

    fn broken(&mut self, flaw: impl Into<Flaw>) -> TypeId {
        self.push(Type::Broken(flaw.into()))
    }

    fn any(&mut self) -> TypeId {
        match self.any {
            Some(id) => id,
            None => {
                let id = self.push(Type::Any);
                self.any = Some(id);
                id
            }
        }
    }

    fn builtin(&mut self, builtin: Builtin) -> TypeId {
        if let Some(id) = self.builtins.get(builtin.name()) {
            return *id;
        }
        let id = self.push(Type::Simple(Simple::of(builtin)));
        self.builtins.insert(builtin.name(), id);
        id
    }

    /// The number of a named type, which is compiled in its turn.
    fn named(&mut self, name: &Name) -> TypeId {
        if let Some(id) = self.schema.named.get(name) {
            return *id;
        }
        if let Some(at) = self.index.types.get(name).and_then(|place| self.at(*place)) {
            let id = self.push(Type::Any);
            self.schema.named.insert(name.clone(), id);
            self.pending.push_back((id, Pending::Named(name.clone(), at)));
            return id;
        }
        let id = self.foreign(name);
        self.schema.named.insert(name.clone(), id);
        id
    }

    /// A type that no schema declares.
    fn foreign(&mut self, name: &Name) -> TypeId {
        match &*name.namespace {
            XSD if matches!(&*name.local, "anyType" | "ur-type") => self.any(),
            XSD => match (Builtin::named(&name.local), Builtin::list_of(&name.local)) {
                (Some(builtin), _) => self.builtin(builtin),
                (None, Some(item)) => {
                    let item = self.builtin(item);
                    self.push(Type::Simple(Simple { form: super::Form::List(item), facets: super::Facets::default() }))
                }
                (None, None) => self.broken(format!("XML Schema has no type {}", name.local)),
            },
            ENCODING11 | ENCODING12 => match Builtin::named(&name.local) {
                Some(builtin) => self.builtin(builtin),
                None => self.broken(format!("{} belongs to rpc/encoded messages, which are not supported", name.local)),
            },
            _ => self.broken(format!("no schema declares the type {name}")),
        }
    }

    /// The type that stands in a declaration.
    fn anonymous(&mut self, at: At<'i>) -> TypeId {
        let place = (std::ptr::from_ref(at.source), at.node.id());
        if let Some(id) = self.anonymous.get(&place) {
            return *id;
        }
        let id = self.push(Type::Any);
        self.anonymous.insert(place, id);
        self.pending.push_back((id, Pending::Anonymous(at)));
        id
    }

    fn work(&mut self) {
        while let Some((id, pending)) = self.pending.pop_front() {
            let (name, at) = match pending {
                Pending::Named(name, at) => (Some(name), at),
                Pending::Anonymous(at) => (None, at),
            };
            let compiled = if at.node.local() == "simpleType" {
                self.simple_type(at, 0).map(Type::Simple)
            } else {
                self.complex_type(name, at).map(Type::Complex)
            };
            let compiled = compiled.unwrap_or_else(|flaw| {
                let place = format!("{}, line {}: {flaw}", at.source.location, at.node.line());
                Type::Broken(place.into())
            });
            if let Some(slot) = self.schema.types.get_mut(id.0 as usize) {
                *slot = compiled;
            }
        }
    }

    /// A name as it is written: with the prefix of its namespace.
    fn tag(&mut self, name: &Name) -> Arc<str> {
        if name.namespace.is_empty() {
            return Arc::clone(&name.local);
        }
        if &*name.namespace == crate::name::XML {
            return format!("xml:{}", name.local).into();
        }
        let next = self.prefixes.len();
        let number = *self.prefixes.entry(Arc::clone(&name.namespace)).or_insert(next);
        if number == next {
            self.schema.namespaces.push(Arc::clone(&name.namespace));
        }
        format!("n{number}:{}", name.local).into()
    }

    /// Notes for each named complex type which others may stand for it.
    fn find_derived(&mut self) {
        let index = self.index;
        let mut names: Vec<_> = index.types.keys().collect();
        names.sort_unstable();
        for name in names {
            let Some(id) = self.schema.named.get(name).copied() else { continue };
            let is_concrete = match self.schema.get(id) {
                Some(Type::Complex(complex)) => !complex.is_abstract,
                _ => false,
            };
            let (mut base, mut depth) = (self.base_of(name), 0);
            // The type needs a prefix, where it is named in a message.
            self.tag(name);
            while let Some(ancestor) = base.filter(|_| is_concrete && depth < DEEPEST) {
                if let Some(above) = self.schema.named.get(&ancestor).copied() {
                    self.schema.derived.entry(above).or_default().push((name.clone(), id));
                }
                (base, depth) = (self.base_of(&ancestor), depth + 1);
            }
        }
    }

    /// The declared complex type that another derives from.
    fn base_of(&self, name: &Name) -> Option<Name> {
        let at = self.at(*self.index.types.get(name)?)?;
        let content = complex::derivation(at.node)?;
        at.source.name(content, content.attribute("base")?).ok()
    }
}

impl<'i> At<'i> {
    /// A node in the same schema.
    fn to(self, node: Node<'i>) -> Self {
        Self { node, ..self }
    }

    fn name(self, value: &str) -> Result<Name, Flaw> {
        self.source.name(self.node, value).map_err(Flaw::from)
    }

    /// The children that are no annotation.
    fn parts(self) -> impl Iterator<Item = Self> {
        self.node
            .elements()
            .filter(|child| child.namespace() == XSD && child.local() != "annotation")
            .map(move |node| self.to(node))
    }
}

/// Gathers the elements of one type.
#[derive(Default)]
struct Collector {
    group: Group,
    /// The slots by what they hold.
    by_name: HashMap<Name, u16>,
    /// The names without their namespaces that are taken as keys.
    locals: HashSet<Arc<str>>,
}
