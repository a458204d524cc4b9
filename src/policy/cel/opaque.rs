//! Values of types that are not CEL's own.

use cel::ExecutionError;
use cel::common::value::CowVal;

pub(super) type Arguments<'b, 'v> = Vec<CowVal<'b, 'v>>;
pub(super) type Returned<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

/// Declares a type that CEL can hand around, compare and name.
macro_rules! opaque {
    ($type:ident, $name:literal, struct $value:ident($($field:ty),+)) => {
        static $type: cel::common::types::Type = cel::common::types::Type::new_unspecified_type($name);

        #[derive(Debug, Clone, PartialEq)]
        struct $value($($field),+);

        impl cel::common::value::Val for $value {
            fn get_type(&self) -> &cel::common::types::Type {
                &$type
            }

            fn cel_type() -> &'static cel::common::types::Type {
                &$type
            }

            fn equals(&self, other: &dyn cel::common::value::Val) -> bool {
                other.downcast_ref::<Self>().is_some_and(|other| other == self)
            }

            fn clone_as_boxed<'v>(&self) -> Box<dyn cel::common::value::Val + 'v> {
                Box::new(self.clone())
            }

            fn as_any(&self) -> Option<&dyn std::any::Any> {
                Some(self)
            }
        }

        impl cel::common::value::StaticVal for $value {}
    };
}

pub(super) use opaque;
